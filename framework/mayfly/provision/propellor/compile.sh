# Compiles a Propellor configuration in a root file system with GHC, in mount, pid and network namespaces of its own (the
# caller's unshare). Template Haskell runs what the sources say, so it is nobody who compiles, and nothing of the host
# but the sources is in reach.
# $1 root file system, $2 directory of the sources, $3 where the result goes (empty: only look for mistakes), $4 the
# configuration's file name, $5 the program's path in the result
set -eu
root=$1 sources=$2 result=$3

mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=0755 mayfly-build "$root/tmp"
mount -t tmpfs -o mode=0755 mayfly-build "$root/dev"
: > "$root/dev/null"
mount --bind /dev/null "$root/dev/null"
mount -t proc proc "$root/proc"
mkdir "$root/tmp/sources" "$root/tmp/out" "$root/tmp/home"
cp -R "$sources/." "$root/tmp/sources"
chown -R 65534:65534 "$root/tmp/sources" "$root/tmp/out" "$root/tmp/home"

inside() {
  chroot --userspec=65534:65534 "$root" /usr/bin/env -i -C /tmp/sources PATH=/usr/bin:/bin HOME=/tmp/home TMPDIR=/tmp/home \
    LANG=C.UTF-8 "$@"
}

ghc="ghc --make -v0 -threaded -fdiagnostics-color=never -fno-diagnostics-show-caret"
if [ -z "$result" ]; then
  inside $ghc -fno-code "$4"
  exit
fi
inside $ghc -O0 -outputdir /tmp/home/objects -o /tmp/out/program "$4"
# The program with its dynamic loader and its libraries is a root file system of its own.
inside /bin/sh -euc '
  ldd /tmp/out/program | sed -n "s/.* => \(\/[^ ]*\) .*/\1/p; s/^[[:blank:]]*\(\/[^ ]*\) (.*/\1/p" > /tmp/home/libraries
  directory=$(dirname "$(grep "/libc\.so" /tmp/home/libraries)")
  mkdir -p "/tmp/out/root/usr${directory#/usr}" "/tmp/out/root$(dirname "$1")"
  mv /tmp/out/program "/tmp/out/root$1"
  while read -r library; do cp -L "$library" "/tmp/out/root/usr${directory#/usr}/"; done < /tmp/home/libraries' sh "$5"
cp -R -P "$root/tmp/out/root/." "$result"
chown -R -h 0:0 "$result"
chmod -R u=rwX,go=rX "$result"
