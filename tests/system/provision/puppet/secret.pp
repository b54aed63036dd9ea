file { '/etc/secret':
  content => "${facts['password']}\n",
  mode    => '0600',
}
notify { "it is ${facts['password']}": }
exec { "/bin/sh -c 'exit 3' # ${facts['password']}": }
