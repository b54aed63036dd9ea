file { '/etc/secret':
  content => "${facts['password']}\n",
  mode    => '0600',
}
notify { "it is ${facts['password']}": }
# Its title has the secret, its command has not: that would be seen by whoever lists processes.
exec { "break with ${facts['password']}":
  command => "/bin/sh -c 'exit 3'",
}
