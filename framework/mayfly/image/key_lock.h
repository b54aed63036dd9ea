#pragma once

#include <filesystem>
#include <string_view>

#include "mayfly/support/log.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// An exclusive flock(2) on a file that exists only while somebody holds it or waits for it. The kernel drops it when
/// the holder dies, so a killed build blocks nobody.
class KeyLock {
 public:
  /// Waits for the lock; while it does, says every few seconds through `progress` who has it.
  /// @param doing what its holder does: "waiting for process 123, which builds this"
  /// @throws SystemError
  KeyLock(std::filesystem::path file, const Progress& progress, std::string_view doing = "builds this");
  KeyLock(KeyLock&&) = delete;
  KeyLock& operator=(KeyLock&&) = delete;
  ~KeyLock();

 private:
  /// False when the file was unlinked by its last holder between our open and our lock: that lock protects nothing.
  [[nodiscard]] bool holds_the_named_file() const;

  std::filesystem::path file_;
  UniqueFd fd_;
};

/// Whether somebody holds the lock of this file.
/// @throws SystemError
[[nodiscard]] bool is_locked(const std::filesystem::path& file);

/// Removes the files of locks that nobody holds: what killed builders left. For a moment it holds each of them itself.
void remove_stale_locks(const std::filesystem::path& directory) noexcept;

}  // namespace mayfly
