file '/etc/systemd/system/greeting.service' do
  content <<~UNIT
    [Service]
    ExecStart=/bin/sleep infinity
    [Install]
    WantedBy=multi-user.target
  UNIT
  mode '0644'
end

service 'greeting' do
  action %i[enable start]
end
