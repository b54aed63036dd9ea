include app

file { '/etc/trace':
  content => "nobody looks here\n",
}

if $facts['os']['family'] == 'RedHat' {
  file { '/etc/redhat': ensure => file }
}
