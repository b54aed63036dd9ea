#pragma once

#include <filesystem>

namespace mayfly::bench {

/// What the kernel itself takes, with no container software: clone3(2) with new mount, pid, uts, ipc, network and
/// cgroup namespaces (and a user namespace, where asked for), an overlay over `rootfs`, /proc, pivot_root(2), exec of
/// /bin/true, wait, and the writable layer removed. One instance may be used many times.
class Floor {
 public:
  struct Options {
    bool user_namespace = false;
    bool tmpfs_upper = false;  ///< writable layer on a fresh tmpfs instead of the scratch directory's file system
  };
  Floor(std::filesystem::path rootfs, std::filesystem::path scratch, Options options);

  /// Does the job once. @throws Error when any step failed
  void cycle() const;

 private:
  std::filesystem::path rootfs_;
  std::filesystem::path scratch_;
  Options options_;
};

}  // namespace mayfly::bench
