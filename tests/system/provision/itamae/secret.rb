# A file that isn't declared as sensitive: Itamae prints the difference.
file '/etc/secret' do
  content "#{node[:password]}\n"
  mode '0600'
end

execute "break with #{node[:password]}" do
  command 'echo "it is $(cat /etc/secret)"; echo "wrong: $(cat /etc/secret)" >&2; exit 3'
end
