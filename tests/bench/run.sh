#!/usr/bin/env bash
# Builds and runs the benchmark `bench`; arguments are passed on (--rounds, --only, --json). Needs root. A peer that isn't
# installed has a row that says so; `run.sh --install-peers ...` installs all of them by apt first.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${1:-}" = --install-peers ]; then
  shift
  apt-get install -qqy --no-install-recommends podman runc crun bubblewrap systemd-container lxc >/dev/null
fi
cmake -S . -B build/bench -G Ninja -DCMAKE_BUILD_TYPE=Release -DMAYFLY_BUILD_BENCHMARKS=ON -DMAYFLY_BUILD_TESTS=OFF \
  -DMAYFLY_BUILD_EXAMPLES=OFF >/dev/null
ninja -C build/bench --quiet mayfly_bench mayfly-keeper mayfly-init mayfly-pool >&2
exec build/bench/tests/bench/bench "$@"
