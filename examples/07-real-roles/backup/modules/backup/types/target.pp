# @summary A directory to save
type Backup::Target = Struct[{
    path              => Stdlib::Absolutepath,
    Optional[exclude] => Array[Stdlib::Absolutepath],
}]
