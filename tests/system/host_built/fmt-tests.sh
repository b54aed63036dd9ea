#!/usr/bin/env bash
# fmt-tests.sh DIRECTORY COMPILER...: builds some of fmt's own test programs in DIRECTORY, from Debian's source package of
# the installed libfmt-dev. Fetches it with a configuration of apt that is derived from this host's, which stays as it is.
#
# When all is there, DIRECTORY/built names the programs. When the source can't be had, DIRECTORY/unavailable says why, and
# the exit code is 0: building Mayfly doesn't need it. Its test tells of it.
set -euo pipefail
directory=$1; shift
compiler=("$@")
tests=(args-test assert-test gtest-extra-test os-test ostream-test printf-test unicode-test)
mkdir -p "$directory"
cd "$directory"
rm -f built unavailable
unavailable() { echo "fmt-tests.sh: $*" | tee unavailable >&2; exit 0; }

version=$(dpkg-query -W -f '${source:Version}' libfmt-dev 2>/dev/null) || unavailable "the package libfmt-dev isn't installed"
if [ ! -e "source-$version/test" ]; then
  command -v apt-get >/dev/null || unavailable "this host has no apt"
  rm -rf apt source-*
  mkdir -p apt/sources.d apt/lists/partial apt/cache/archives/partial
  # What the host has as packages, as sources.
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -e "$list" ] || sed -n 's/^deb /deb-src /p' "$list" >"apt/sources.d/${list##*/}.list"
  done
  for list in /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" >"apt/sources.d/${list##*/}"
  done
  options=(-q -o APT::Sandbox::User=root -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$PWD/apt/sources.d"
    -o "Dir::State::Lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache" -o Acquire::Retries=1 -o Acquire::http::Timeout=20)
  # A source of this host that fails isn't one of fmt's, if the package is found.
  apt-get "${options[@]}" update >apt/log 2>&1 || true
  (cd apt && apt-get "${options[@]}" source --download-only "fmtlib=$version" >>log 2>&1) ||
    unavailable "no source package fmtlib $version: $(tail -n 1 apt/log)"
  mkdir "source-$version.part"
  tar -xf apt/fmtlib_*.orig.tar.* -C "source-$version.part" --strip-components=1
  mv "source-$version.part" "source-$version"
  rm -rf apt/lists apt/cache
fi

export source=source-$version/test
[ -d "$source" ] || unavailable "the source package fmtlib $version has no tests"
export flags="-std=c++17 -O0 -w -Isource-$version/include"
compile() { "$@" $flags -c "$source/$unit.cc" -o "$unit.o"; }
export -f compile
printf '%s\n' test-main gtest-extra util "${tests[@]}" |
  xargs -P 2 -I UNIT env unit=UNIT bash -c 'compile "$@"' compile "${compiler[@]}"
for test in "${tests[@]}"; do
  "${compiler[@]}" "$test.o" test-main.o gtest-extra.o util.o -o "$test" -lfmt -lgmock -lgtest -pthread
done
printf '%s\n' "${tests[@]}" >built
