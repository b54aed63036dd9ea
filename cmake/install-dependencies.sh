#!/usr/bin/env bash
# install-dependencies.sh [build] [run] [test] [lint]: installs what is missing of Mayfly's Debian packages (12 and newer).
# Without arguments: build and run. Says what it installs; says nothing, and doesn't ask the network, when nothing is
# missing.
set -euo pipefail

# To compile and link.
build=(g++ cmake ninja-build pkg-config libfmt-dev libssl-dev libtomlplusplus-dev libcli11-dev libgtest-dev libgmock-dev
  lxc-dev libseccomp-dev libre2-dev libcurl4-openssl-dev libyaml-cpp-dev)
# Host programs that profiles can ask for: Debian images, network = "nat", ansible and cdist steps.
run=(mmdebstrap slirp4netns ansible-core cdist)
# What Mayfly's own tests look at the host with; one of them compiles Mayfly a second time, which takes minutes without
# ccache.
test=(ccache iproute2 libxml2-utils perl zstd xz-utils gdb gcovr clang-19 libclang-rt-19-dev llvm-19 busybox-static catch2 doctest-dev
  python3-testinfra ruby-serverspec ansible-lint puppet-agent puppet-lint shellcheck)
# What .ci/run checks the sources with.
lint=(clang-format-14 clang-tidy-19)

wanted=()
for group in "${@:-build run}"; do
  for name in $group; do
    case $name in
      build) wanted+=("${build[@]}") ;;
      run) wanted+=("${run[@]}") ;;
      test) wanted+=("${test[@]}") ;;
      lint) wanted+=("${lint[@]}") ;;
      *) echo "install-dependencies.sh: no such group: '$name' (build, run, test, lint)" >&2; exit 2 ;;
    esac
  done
done

# A container without systemd may lack it, and Ansible (Python's multiprocessing) doesn't run without.
if [[ " ${*:-build run} " == *" run "* && ! -d /dev/shm && "$(id -u)" == 0 ]]; then
  echo "==> mounting /dev/shm, which this machine lacks"
  mkdir /dev/shm
  mount -t tmpfs -o nosuid,nodev,mode=1777 shm /dev/shm
fi

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Boost's default in Debian 12 is 1.74, which has no boost/process/v2.hpp: take the oldest version from 1.81 on.
boost_version() {
  { dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'libboost-json1.*-dev' 2>/dev/null | sed -n 's/^installed //p'
    apt-cache pkgnames libboost-json1. 2>/dev/null; } |
    sed -n 's/^libboost-json\(1\.[0-9]*\)-dev$/\1/p' | sort -Vu | awk -F. '$2 >= 81 {print; exit}'
}

missing=()
for package in "${wanted[@]}"; do installed "$package" || missing+=("$package"); done
case " ${wanted[*]} " in *" g++ "*)
  version=$(boost_version)
  { [ -n "$version" ] && installed "libboost$version-dev" && installed "libboost-json$version-dev"; } || missing+=(boost) ;;
esac
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "install-dependencies.sh: missing packages: ${missing[*]}" >&2
  echo "install-dependencies.sh: only root can install them; run: sudo ${BASH_SOURCE[0]} $*" >&2
  exit 3
fi
if ! command -v apt-get >/dev/null; then
  echo "install-dependencies.sh: missing: ${missing[*]}; this script knows Debian's apt only" >&2
  exit 3
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
  "$@" >"$log" 2>&1 </dev/null && return
  tail -n 30 "$log" >&2
  echo "install-dependencies.sh: failed: $*" >&2
  exit 3
}

export DEBIAN_FRONTEND=noninteractive
echo "==> reading the package lists"
quietly apt-get -q update
packages=()
for package in "${missing[@]}"; do
  if [ "$package" = boost ]; then
    version=$(boost_version)
    [ -n "$version" ] || { echo "install-dependencies.sh: apt knows no Boost from 1.81 on" >&2; exit 3; }
    packages+=("libboost$version-dev" "libboost-json$version-dev")
  else
    packages+=("$package")
  fi
done
echo "==> installing ${packages[*]} (a minute or two)"
quietly apt-get -q -y --no-install-recommends install "${packages[@]}"
