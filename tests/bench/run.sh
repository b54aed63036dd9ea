#!/usr/bin/env bash
# Builds and runs the benchmark `cycle`; arguments are passed on. Needs root. Peers that are missing are installed by apt.
set -euo pipefail
cd "$(dirname "$0")/../.."
missing=()
command -v podman >/dev/null || missing+=(podman)
command -v runc >/dev/null || missing+=(runc)
command -v lxc-copy >/dev/null || missing+=(lxc)
[ ${#missing[@]} -eq 0 ] || apt-get install -qqy --no-install-recommends "${missing[@]}" >/dev/null
cmake -S . -B build/bench -G Ninja -DCMAKE_BUILD_TYPE=Release -DMAYFLY_BUILD_BENCHMARKS=ON -DMAYFLY_BUILD_TESTS=OFF \
  -DMAYFLY_BUILD_EXAMPLES=OFF >/dev/null
ninja -C build/bench --quiet mayfly_bench_cycle mayfly-keeper mayfly-init
exec build/bench/tests/bench/cycle "$@"
