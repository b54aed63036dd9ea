file { '/etc/x':
  content => 'x'
  mode    => '0644',
}
