# Courier: user, configuration, token and service
user 'courier' do
  system_user true
  home '/var/lib/courier'
  create_home true
  shell '/usr/sbin/nologin'
end

directory '/etc/courier' do
  mode '0755'
end

template '/etc/courier/courier.conf' do
  source 'templates/courier.conf.erb'
  mode '0644'
  notifies :restart, 'service[courier]'
end

file '/etc/courier/token' do
  content node[:token]
  owner 'courier'
  group 'courier'
  mode '0600'
  sensitive true
end

remote_file '/etc/systemd/system/courier.service' do
  source 'files/courier.service'
  mode '0644'
  notifies :run, 'execute[systemctl daemon-reload]', :immediately
end

execute 'systemctl daemon-reload' do
  action :nothing
end

service 'courier' do
  action %i[enable start]
end
