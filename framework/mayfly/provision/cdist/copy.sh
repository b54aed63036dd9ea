#!/bin/sh
# In the place of `scp -r SOURCE... [HOST]:DESTINATION`: symlinks are followed; a destination that is a directory gets
# the sources, any other becomes the only source. The container needs tar for directories and for several sources.
set -eu
for target; do :; done
case $target in
  \[*) target=${target#*]:} ;;
  *) target=${target#*:} ;;
esac

if [ $# = 2 ] && [ ! -d "$1" ]; then
  exec "$MAYFLY_ENTER" /bin/sh -c '
    [ ! -d "$1" ] || set -- "$1/$2" "$2" "$3"
    [ ! -e "$1" ] || exec cat > "$1"
    umask 077
    cat > "$1" && exec chmod "$3" "$1"' sh "$target" "${1##*/}" "$(stat -L -c %a -- "$1")" < "$1"
fi

count=$(($# - 1))
only=$count
while [ "$count" -gt 0 ]; do
  source=$1
  shift
  set -- "$@" -C "$(dirname -- "$source")" "./$(basename -- "$source")"
  count=$((count - 1))
done
shift # the target
tar -c -h -f - "$@" | "$MAYFLY_ENTER" /bin/sh -c '
  if [ -d "$1" ]; then
    exec tar -x -m -o -f - -C "$1"
  elif [ "$2" = 1 ]; then
    mkdir "$1" && exec tar -x -m -o -f - -C "$1" --strip-components=2
  fi
  echo "$1: not a directory" >&2
  exit 1' sh "$target" "$only"
