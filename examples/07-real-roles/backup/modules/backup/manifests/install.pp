# @summary Acme's package archive, and the package
# @api private
class backup::install {
  include apt

  file { '/etc/apt/keyrings/acme.asc':
    source => $backup::archive_key,
    mode   => '0644',
  }
  -> apt::source { 'acme':
    location     => $backup::archive,
    release      => 'stable',
    repos        => 'main',
    architecture => 'all',
    keyring      => '/etc/apt/keyrings/acme.asc',
  }

  package { 'acme-agent':
    ensure  => installed,
    require => Class['apt::update'],
  }
}
