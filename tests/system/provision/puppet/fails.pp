file { '/etc/works': content => "x\n" }
exec { 'breaks': command => '/bin/sh -c "exit 3"' }
-> file { '/etc/never': content => "x\n" }
