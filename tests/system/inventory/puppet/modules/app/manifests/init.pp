# Settings that a check looks at, by a template.
class app {
  file { '/etc/app.conf':
    content => epp('app/app.conf.epp', { 'workers' => 4 }),
  }
}
