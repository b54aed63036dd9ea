#!/usr/bin/env bash
# Builds and runs the benchmark `verify`; arguments are passed on. Needs root, and for a cold round a Debian mirror.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake -S . -B build/bench -G Ninja -DCMAKE_BUILD_TYPE=Release -DMAYFLY_BUILD_BENCHMARKS=ON -DMAYFLY_BUILD_TESTS=OFF \
  -DMAYFLY_BUILD_EXAMPLES=OFF >/dev/null
ninja -C build/bench --quiet mayfly_bench_verify mayfly mayfly-keeper mayfly-init mayfly-enter
exec build/bench/tests/bench/verify "$@"
