# A web server; $facts['role'] comes from the profile.
exec { 'apt-get update':
  path   => ['/usr/bin', '/bin'],
  unless => 'find /var/lib/apt/lists -name "*_Packages*" -mtime -1 | grep -q .',
}

package { 'nginx-light':
  ensure          => installed,
  install_options => ['--no-install-recommends'],
  require         => Exec['apt-get update'],
}

file { '/etc/nginx/conf.d/uploads.conf':
  ensure  => file,
  owner   => 'root',
  group   => 'root',
  mode    => '0644',
  content => "client_max_body_size 16m;\n",
  require => Package['nginx-light'],
  notify  => Service['nginx'],
}

file { '/var/www/html/index.html':
  ensure  => file,
  mode    => '0644',
  content => "<!doctype html>\n<title>Welcome</title>\n<p>Welcome to the ${facts['role']}.\n",
  require => Package['nginx-light'],
}

service { 'nginx':
  ensure  => running,
  enable  => true,
  require => Package['nginx-light'],
}
