#!/usr/bin/env bash
# tests/run.sh [KIND...]: installs what is missing, builds Mayfly and runs its tests; exits with 0 when all pass.
#
# KIND: unit golden system fault consumer example; default: all, in this order, the fast ones first.
# Root is needed for all but unit and golden. Results: <build>/junit/*.xml, for CI systems.
#
#   MAYFLY_PRESET=release tests/run.sh   another preset of CMakePresets.json; default: dev, and ci when CI is set
#   MAYFLY_REQUIRE=all tests/run.sh      a test that would be skipped fails instead; the default when CI is set
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kinds=(unit golden system fault consumer example)
for kind in "$@"; do
  case " ${kinds[*]} " in *" $kind "*) ;; *) sed -n '2,8p' "$0" >&2; exit 2 ;; esac
done
[ $# -eq 0 ] || kinds=("$@")
if [ -n "${CI:-}" ]; then export MAYFLY_REQUIRE=${MAYFLY_REQUIRE-all}; fi
preset=${MAYFLY_PRESET:-$([ -n "${CI:-}" ] && echo ci || echo dev)}
build=build/$preset

cmake/install-dependencies.sh build run test
. cmake/build.sh
build_mayfly "$preset" all

mkdir -p "$build/junit"
summary=()
status=0
for kind in "${kinds[@]}"; do
  case $kind in
    unit | golden) ;;
    *)
      if [ "$(id -u)" != 0 ]; then
        summary+=("$(printf '%-9s not run: needs root' "$kind")")
        status=1
        continue
      fi ;;
  esac
  echo "==> $kind tests"
  start=$SECONDS
  if ctest --test-dir "$build" --label-regex "^$kind\$" --parallel "$(nproc)" --output-on-failure --no-tests=ignore \
    --output-junit "junit/$kind.xml"; then
    outcome=passed
  else
    outcome=FAILED
    status=1
  fi
  summary+=("$(printf '%-9s %s in %d s' "$kind" "$outcome" $((SECONDS - start)))")
done
echo "==> summary"
printf '    %s\n' "${summary[@]}"
exit $status
