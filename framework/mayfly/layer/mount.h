#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include "mayfly/support/units.h"

namespace mayfly {

struct TmpfsOptions {
  Bytes size{0};             ///< 0: the kernel's default, half of the memory
  unsigned mode = 0755;      ///< of its root, whatever the umask
  std::uint64_t inodes = 0;  ///< 0: the kernel's default, one a page of lowmem
};

/// Mounts a fresh tmpfs (nosuid, nodev) on an existing directory. Both flags are of this mount alone: an overlay whose
/// upper is on it runs setuid files and opens devices.
/// @throws SystemError
void mount_tmpfs(const std::filesystem::path& target, const TmpfsOptions& options = {});

/// Takes the topmost mount off `target` at once; the kernel frees it when its last user is gone (MNT_DETACH: a dying
/// container still holds descriptors in it for some milliseconds).
/// @return false when nothing was mounted there
/// @throws SystemError
bool detach_mount(const std::filesystem::path& target);

/// Owns the topmost mount on a path.
class Mount {
 public:
  Mount() noexcept = default;
  /// Takes over what is mounted on `target`.
  explicit Mount(std::filesystem::path target) : target_(std::move(target)) {}
  Mount(Mount&& other) noexcept : target_(std::exchange(other.target_, {})) {}
  Mount& operator=(Mount&& other) noexcept;
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  /// Detaches; a failure is logged.
  ~Mount() { detach_or_log(); }

  [[nodiscard]] const std::filesystem::path& target() const noexcept { return target_; }
  /// Idempotent. @throws SystemError
  void teardown();
  /// Leaves the mount to the caller.
  std::filesystem::path release() noexcept { return std::exchange(target_, {}); }

 private:
  void detach_or_log() noexcept;
  std::filesystem::path target_;
};

}  // namespace mayfly
