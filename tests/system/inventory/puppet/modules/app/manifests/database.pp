# Nobody includes this.
class app::database {
  package { 'postgresql': ensure => installed }
}
