# @summary The agent's user, its settings, and what it saves
# @api private
class backup::config {
  user { $backup::user:
    system => true,
    home   => '/var/lib/backup',
    shell  => '/usr/sbin/nologin',
  }

  file { '/var/lib/backup':
    ensure => directory,
    owner  => $backup::user,
    mode   => '0750',
  }

  file { '/etc/acme':
    ensure => directory,
    mode   => '0755',
  }

  file { '/etc/acme/agent.conf':
    content => epp('backup/agent.conf.epp'),
    mode    => '0644',
  }

  concat { '/etc/acme/targets.conf':
    mode           => '0644',
    ensure_newline => true,
  }

  concat::fragment { 'backup header':
    target  => '/etc/acme/targets.conf',
    content => '# Managed by Puppet',
    order   => '01',
  }

  $backup::targets.each |$name, $target| {
    concat::fragment { "backup ${name}":
      target  => '/etc/acme/targets.conf',
      content => epp('backup/target.epp', { name => $name, target => $target }),
    }
  }
}
