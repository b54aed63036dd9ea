file '/etc/greeting' do
  content "hello\n"
end
