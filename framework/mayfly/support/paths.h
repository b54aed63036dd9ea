#pragma once

#include <filesystem>
#include <string_view>

namespace mayfly {

/// Where Mayfly keeps things on the host; computed here and nowhere else.
///
/// ```
/// runtime()                       $MAYFLY_RUNTIME_DIR, default /run/mayfly
///   sessions/<session>/           one keeper's; removed by it, by the next session or by `mayfly gc`
///     lease                       locked (fcntl) by the live keeper; its pid inside
///     session.json                pid and command line of the test process, start time
///     containers/<name>.json      init pid, profile, image: what `mayfly ps` shows
///     owned/                      one file a path that has to be removed with the session (staging directories)
///     pool                        in the pool's own session: the socket where it listens. The pool holds a flock(2) on
///                                 sessions/, so that there is one a runtime directory
///   temporary/<random>            flock(2)ed by a live process: the path of its OwnedTempDir
/// store()                         $MAYFLY_STORE_DIR, default /var/cache/mayfly
///   images/<key>/                 a published root file system: rootfs/ and recipe.json
///   layers/<key>/                 a frozen converge layer: upper/ and recipe.json; idempotence-<key>.json once judged
///   dependencies/<key>/           what ansible-galaxy or puppet installed for a step, or an archive's modules
///   packages/<mirror>/            .deb files that builds of images have downloaded
///   staging/<key>.<pid>/          what is being built; renamed into place when whole
///   staging/pruned.<entry>/       what is being removed
///   locks/<key>                   flock(2): held by the process that builds <key>; `prune` by the one that prunes
///   digests/<file state>          a tarball's digest, so that it isn't read again while it is the same file
///   durations/<key>.json          how long the suites of a test program took, for `mayfly test`
///   admission/                    flock(2)ed while they are held: converge-<n>, build-<n>, promise-<random>, lock
///   verdicts/<key>.json           what linters said about manifests, while nothing that they read changes
/// ```
struct Paths {
  std::filesystem::path runtime;
  std::filesystem::path store;

  /// From the environment; relative paths are made absolute.
  [[nodiscard]] static Paths from_environment();

  [[nodiscard]] std::filesystem::path sessions() const { return runtime / "sessions"; }
  [[nodiscard]] std::filesystem::path session(std::string_view id) const { return sessions() / id; }
  [[nodiscard]] std::filesystem::path temporary() const { return runtime / "temporary"; }
  [[nodiscard]] std::filesystem::path images() const { return store / "images"; }
  [[nodiscard]] std::filesystem::path layers() const { return store / "layers"; }
  [[nodiscard]] std::filesystem::path dependencies() const { return store / "dependencies"; }
  [[nodiscard]] std::filesystem::path packages() const { return store / "packages"; }
  [[nodiscard]] std::filesystem::path staging() const { return store / "staging"; }
  [[nodiscard]] std::filesystem::path locks() const { return store / "locks"; }
  [[nodiscard]] std::filesystem::path digests() const { return store / "digests"; }
  [[nodiscard]] std::filesystem::path durations() const { return store / "durations"; }
  [[nodiscard]] std::filesystem::path admission() const { return store / "admission"; }
  [[nodiscard]] std::filesystem::path verdicts() const { return store / "verdicts"; }
};

/// A program or file that Mayfly ships: `mayfly-keeper`, `mayfly-init`, `mayfly-enter`, `ansible/...`. Looked up in
/// $MAYFLY_LIBEXEC_DIR alone when it is set, else in ../libexec/mayfly beside the running executable, then in the build
/// tree, then in the install prefix.
/// @throws Error that names the places searched
[[nodiscard]] std::filesystem::path find_shipped(std::string_view name);

}  // namespace mayfly
