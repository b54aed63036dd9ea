# shellcheck shell=bash
# Sourced by tests/run.sh, examples/run.sh and .ci/run.

# build_mayfly PRESET TARGET: configures and builds in build/PRESET, quietly unless something is wrong.
build_mayfly() {
  local preset=$1 target=$2 log options=()
  if command -v ccache >/dev/null; then
    options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    # Else a second build directory, as the test consumer_add_subdirectory makes one, finds nothing in the cache. ctest
    # sets other locales for what it builds, and each version of it others.
    export CCACHE_NOHASHDIR=1
    # The tests' precompiled headers: what they define and __TIME__ are no reason to compile again (ccache(1), PRECOMPILED
    # HEADERS).
    export CCACHE_SLOPPINESS=pch_defines,time_macros,locale
  fi
  mkdir -p "build/$preset"
  log=build/$preset/configure.log
  echo "==> configuring build/$preset"
  if ! cmake --preset "$preset" "${options[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
  echo "==> building ($(nproc) processors)"
  cmake --build --preset "$preset" --target "$target"
}
