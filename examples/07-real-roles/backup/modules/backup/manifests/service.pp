# @summary The service, a timer for backups, and who cleans up
# @api private
class backup::service {
  include systemd

  service { 'acme-agent':
    ensure => running,
    enable => true,
  }

  systemd::timer { 'backup.timer':
    timer_content   => epp('backup/backup.timer.epp'),
    service_content => epp('backup/backup.service.epp'),
    active          => true,
    enable          => true,
  }

  cron { 'expire backups':
    command => "find /var/lib/backup -mtime +${backup::retention.regsubst('\D', '')} -delete",
    user    => $backup::user,
    hour    => 3,
    minute  => 30,
  }
}
