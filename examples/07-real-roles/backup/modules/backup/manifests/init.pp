# @summary Backups by Acme's agent: its archive, its configuration, when it runs
#
# @param archive where the package comes from
# @param archive_key the archive's key
# @param user whom the reports belong to
# @param interval seconds between two reports
# @param retention how long backups are kept
# @param targets what is saved, by name
class backup (
  String[1] $archive,
  Stdlib::Absolutepath $archive_key,
  String[1] $user,
  Integer[1] $interval,
  Pattern[/\A\d+[dwm]\z/] $retention,
  Hash[String[1], Backup::Target] $targets = {},
) {
  contain backup::install
  contain backup::config
  contain backup::service

  Class['backup::install'] -> Class['backup::config'] ~> Class['backup::service']
}
