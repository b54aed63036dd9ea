# A user, a templated file, a secret file, a unit that runs.
include_recipe 'unit'

package 'coreutils'

user 'greeter' do
  system_user true
  home '/nonexistent'
  create_home false
  shell '/usr/sbin/nologin'
end

template '/etc/greeting' do
  source 'templates/greeting.erb'
  mode '0640'
end

file '/etc/greeting.token' do
  content node[:token]
  mode '0600'
  sensitive true
end

execute 'count a visit' do
  command 'echo x >> /var/lib/visits'
  not_if 'test -e /var/lib/visits'
end
