file '/etc/x' do
  contnt 'x'
end
