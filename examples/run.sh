#!/usr/bin/env bash
# examples/run.sh [NUMBER...]: installs what is missing, builds the examples and runs them, one after the other; exits
# with 0 when all pass. `examples/run.sh 01` runs the first alone. Needs root.
#
# 01 and 08 need no download: they run on the host's own root file system. The others build a Debian image when they run
# for the first time (a minute or so each) and keep it in the store (/var/cache/mayfly). 06 and 07 take many machines
# through whole scenarios, some minutes the first time, and run when they are named: `examples/run.sh 06 07`, or `all`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

selected=()
[ $# -gt 0 ] || set -- 01 02 03 04 05 08
[ "$*" != all ] || set -- ''
for number in "$@"; do
  matches=(examples/"$number"*/)
  if [ ! -d "${matches[0]}" ]; then
    echo "examples/run.sh: no example '$number'; there are:" examples/*/ >&2
    exit 2
  fi
  for directory in "${matches[@]}"; do selected+=("$(basename "$directory")"); done
done
if [ "$(id -u)" != 0 ]; then
  echo "examples/run.sh: containers need root; run: sudo examples/run.sh $*" >&2
  exit 3
fi

cmake/install-dependencies.sh build run
. cmake/build.sh
build_mayfly "${MAYFLY_PRESET:-dev}" examples

bin=build/${MAYFLY_PRESET:-dev}
# An example's test program, its script, or without either its profiles.
run_example() {
  local name=${1#*-}
  name=${name//-/_}
  if [ -x "$bin/examples/$1/${name}_test" ]; then
    "$bin/examples/$1/${name}_test"
  elif [ -x "examples/$1/${name}_test.py" ]; then
    "examples/$1/${name}_test.py" "$bin/bin/mayfly"
  else
    "$bin/bin/mayfly" verify -j2 "examples/$1"/*.toml
  fi
}

failed=()
for example in "${selected[@]}"; do
  printf '\n==> %s: %s\n' "$example" "$(sed -n '1s/^# *//p' "examples/$example/README.md")"
  run_example "$example" || failed+=("$example")
done
echo
if [ ${#failed[@]} -gt 0 ]; then
  echo "==> failed: ${failed[*]}"
  exit 1
fi
echo "==> all passed: ${selected[*]}"
