class { 'greeting': text => "hello ${facts['role']}" }

file { '/etc/systemd/system/greeting.service':
  content => "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
}
-> service { 'greeting':
  ensure => running,
  enable => true,
}
