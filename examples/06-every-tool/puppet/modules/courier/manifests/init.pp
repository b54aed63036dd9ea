# @summary Courier: user, configuration, token and service
# @param token what it shows to its peers
# @param workers how many requests it serves at a time
class courier (
  Sensitive[String[1]] $token,
  Integer[1] $workers = 4,
) {
  user { 'courier':
    system     => true,
    home       => '/var/lib/courier',
    managehome => true,
    shell      => '/usr/sbin/nologin',
  }

  file { '/etc/courier':
    ensure => directory,
    mode   => '0755',
  }

  file { '/etc/courier/courier.conf':
    content => epp('courier/courier.conf.epp', { workers => $workers }),
    mode    => '0644',
  }

  file { '/etc/courier/token':
    content => $token,
    owner   => 'courier',
    group   => 'courier',
    mode    => '0600',
  }

  file { '/etc/systemd/system/courier.service':
    source => 'puppet:///modules/courier/courier.service',
    mode   => '0644',
  }

  service { 'courier':
    ensure    => running,
    enable    => true,
    subscribe => File['/etc/courier/courier.conf', '/etc/systemd/system/courier.service'],
    require   => File['/etc/courier/token'],
  }
}
