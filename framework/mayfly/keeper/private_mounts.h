#pragma once

#include <filesystem>

namespace mayfly {

/// Everything that a keeper mounts and needs on its way: visible to it and its children only, gone with them.
///
/// ```
/// /run                  tmpfs: liblxc keeps its lock files in /run/lxc
///   .host/              the host's own /run; its entries have symlinks in /run
///   session/            containers' directories
///     <container>/      merged/ (the root file system), rw/ (a tmpfs: upper, work), seed/, lxc.log, console.log,
///                     lower/ (what merged/ was before the first write, once somebody asks)
///     .rootfs/          liblxc's lxc.rootfs.mount
/// /sys/fs/cgroup        nothing, whatever the host has there
/// ```
class PrivateMounts {
 public:
  /// Leaves the host's mount namespace. For a single-threaded process.
  /// @throws PrivilegeError when the kernel refuses
  static PrivateMounts enter();

  /// Covers /sys/fs/cgroup: liblxc works with whatever control groups it finds there, and the keeper makes them itself.
  /// Monitors that need a view of cgroup2 get one of their own. After Cgroups::of_host(), which has descriptors.
  void hide_cgroups() const;

  /// Where a path of the host is here.
  [[nodiscard]] static std::filesystem::path host_path(const std::filesystem::path& path);
  [[nodiscard]] static std::filesystem::path containers() { return "/run/session"; }
  [[nodiscard]] static std::filesystem::path lxc_rootfs() { return "/run/session/.rootfs"; }

 private:
  PrivateMounts() = default;
};

}  // namespace mayfly
