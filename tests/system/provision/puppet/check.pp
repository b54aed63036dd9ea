file { '/etc/check-new':
  content => "new\n",
}
~> exec { '/usr/bin/touch /etc/check-refreshed':
  refreshonly => true,
}

file { '/etc/check-old':
  content => "changed\n",
}

file { 'titled':
  ensure  => file,
  path    => '/etc/check-titled',
  content => "x\n",
}

file { '/etc/hostname':
  ensure => file,
}
