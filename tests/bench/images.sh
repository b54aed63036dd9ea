#!/usr/bin/env bash
# What making images of Debian costs: whole by mmdebstrap(1) on the disk and in memory, and by Mayfly with an empty
# store, with the suite's base, and with packages downloaded before. Rounds are interleaved; printed are medians, and
# the ratio to the first row. Needs root, mmdebstrap and a Debian mirror. Measures the mirror, too.
#
#   tests/bench/images.sh [--rounds N] [--suite bookworm] [--mayfly build/bench/bin/mayfly]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=3 suite=bookworm mayfly=
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2 ;;
    --suite) suite=$2 ;;
    --mayfly) mayfly=$2 ;;
    *) echo "usage: tests/bench/images.sh [--rounds N] [--suite SUITE] [--mayfly PROGRAM]" >&2; exit 2 ;;
  esac
  shift 2
done
if [ -z "$mayfly" ]; then
  mayfly=build/bench/bin/mayfly
  cmake -S . -B build/bench -G Ninja -DCMAKE_BUILD_TYPE=Release -DMAYFLY_BUILD_BENCHMARKS=ON -DMAYFLY_BUILD_TESTS=OFF \
    -DMAYFLY_BUILD_EXAMPLES=OFF >/dev/null
  ninja -C build/bench --quiet mayfly mayfly-keeper mayfly-init mayfly-enter
fi

work=$(mktemp -d /var/tmp/mayfly-bench-images.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
export MAYFLY_STORE_DIR=$work/store MAYFLY_RUNTIME_DIR=$work/run MAYFLY_LOG=warning

first=(systemd-sysv dbus iproute2 curl nginx-light)
second=(systemd-sysv dbus python3 openssh-server)
list() { local IFS=,; echo "$*"; }
profile() {  # NAME PACKAGE...
  local name=$1; shift
  printf '[image]\nsource = "debian"\nsuite = "%s"\npackages = [%s]\n' "$suite" \
    "$(printf '"%s", ' "$@")" >"$work/$name.toml"
}
profile first "${first[@]}"
profile second "${second[@]}"

measure() {  # ROW COMMAND...
  local row=$1 begin end; shift
  begin=$(date +%s%N)
  "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  end=$(date +%s%N)
  echo $(((end - begin) / 1000000)) >>"$work/times.$row"
}
whole() {  # DIRECTORY
  mmdebstrap --mode=root --variant=minbase --format=directory --skip=cleanup/apt/lists \
    --aptopt='Acquire::Languages "none"' --include="$(list "${first[@]}")" "$suite" "$1"
}
whole_on_disk() { whole "$work/tree" && sync -f "$work"; }
whole_in_memory() {
  unshare --mount --propagation slave sh -ec '
    mkdir "$1/memory"; mount -t tmpfs -o mode=0700 bench "$1/memory"; shift
    "$@"' sh "$work" bash -c "$(declare -f whole list); suite=$suite; first=(${first[*]}); whole '$work/memory/tree' &&
      cp -a '$work/memory/tree' '$work/tree' && sync -f '$work'"
}
build() { "$mayfly" image build "$work/$1.toml"; }
forget() {  # the images, not the base and the packages
  local recipe
  for recipe in "$MAYFLY_STORE_DIR"/images/*/recipe.json; do
    grep -q '"packages":\[\]' "$recipe" || rm -rf --one-file-system "$(dirname "$recipe")"
  done
}
tidy() { rm -rf --one-file-system "$work/tree" "$work/memory"; }

for round in $(seq "$rounds"); do
  echo "round $round of $rounds" >&2
  measure 1 whole_on_disk; tidy
  measure 2 whole_in_memory; tidy
  rm -rf --one-file-system "$MAYFLY_STORE_DIR"
  measure 3 build first
  measure 4 build second
  forget
  measure 6 build first
  measure 7 build second
  forget
  rm -rf --one-file-system "$MAYFLY_STORE_DIR/packages"
  measure 5 build first
done

rows=("" "mmdebstrap, on the disk" "mmdebstrap, in memory, copied to the disk"
  "mayfly image build, empty store" "second image, other packages"
  "first image again, base there, nothing downloaded" "first image again, base there, packages downloaded"
  "second image again, base there, packages downloaded")
printf '%-54s %3s  %9s  %6s\n' "image of $suite" n "median s" "x"
for row in 1 2 3 4 5 6 7; do
  sort -n "$work/times.$row" | awk -v name="${rows[$row]}" -v first="$work/times.1" '
    function median(list, count) { return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2 }
    { own[NR] = $1 }
    END {
      command = "sort -n " first; while ((command | getline value) > 0) base[++count] = value
      printf "%-54s %3d  %9.1f  %6.2f\n", name, NR, median(own, NR) / 1000, median(own, NR) / median(base, count)
    }'
done
echo
"$mayfly" image ls
