class { 'courier': token => Sensitive($facts['token']), workers => 4 }

# PLANTED: Puppet runs `unless` to ask, also with --noop, and reports nothing of an exec that it then leaves alone.
-> exec { 'make the index':
  command => '/usr/local/bin/courier reindex',
  unless  => '/usr/local/bin/courier up-to-date',
}
