file '/etc/public' do
  content "#{node[:password]}\n"
end
