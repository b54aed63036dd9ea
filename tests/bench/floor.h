#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace mayfly::bench {

class FloorNetwork;

/// What the kernel itself takes, with no container software: clone3(2) with new mount, pid, uts, ipc, network and
/// cgroup namespaces, an overlay over `rootfs`, /proc, pivot_root(2), exec, wait, and the writable layer removed.
struct FloorOptions {
  bool user_namespace = false;
  bool tmpfs_upper = false;  ///< writable layer on a fresh tmpfs instead of the scratch directory's file system
  /// What Mayfly's containers have besides: /sys, a /dev of its own (devices, devpts, shm) and a cgroup, in cgroup2
  /// only.
  bool whole_machine = false;
  const FloorNetwork* network = nullptr;  ///< set: on its bridge
};

/// One container of the floor. Gone with this.
class FloorContainer {
 public:
  /// @param scratch where the writable layer goes; made, and removed in the end
  /// @throws SystemError
  FloorContainer(const std::filesystem::path& rootfs, std::filesystem::path scratch, const FloorOptions& options,
                 const std::vector<std::string>& argv);
  ~FloorContainer();
  FloorContainer(const FloorContainer&) = delete;
  FloorContainer& operator=(const FloorContainer&) = delete;
  /// Waits for its process and removes all. @throws Error when that failed
  void finish();

 private:
  void remove();
  std::filesystem::path scratch_;
  bool tmpfs_;
  std::string cgroup_{};
  pid_t child_ = -1;
};

/// Container made, /bin/true run in it, gone. @throws Error when any step failed
void floor_cycle(const std::filesystem::path& rootfs, const std::filesystem::path& scratch,
                 const FloorOptions& options);

/// A process of a container joined by fork(2), setns(2) of all its namespaces, fork and execve(2) of /bin/true, with
/// both its outputs read to the end: what an exec takes with no container software.
void raw_exec(int init_pidfd, bool user_namespace);

}  // namespace mayfly::bench
