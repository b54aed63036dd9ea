file '/etc/app.conf' do
  content "workers = 4\n"
end

file '/etc/trace' do
  content "nobody looks\n"
end
