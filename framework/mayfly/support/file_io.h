#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// Opens with O_CLOEXEC added.
/// @throws SystemError
[[nodiscard]] UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode = 0);

/// Reads to the end of file; works for /proc and /sys, whose sizes lie.
/// @throws SystemError
[[nodiscard]] std::string read_all(int fd, std::string_view name);
[[nodiscard]] std::string read_file(const std::filesystem::path& path);
/// Nothing when the file doesn't exist (ENOENT, ENOTDIR, or ESRCH for a dead process in /proc); throws on any other
/// failure.
[[nodiscard]] std::optional<std::string> read_file_if_exists(const std::filesystem::path& path);

/// Writes everything, in spite of short writes and EINTR.
/// @throws SystemError, for example with ENOSPC
void write_all(int fd, std::string_view content, std::string_view name);

/// Creates or truncates the file.
void write_file(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);

/// Writes to a file of another name in the same directory and renames it, so that readers see all or nothing.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);

/// Removes a tree without following symlinks and without descending into mounts (openat2(2) with RESOLVE_NO_XDEV),
/// which std::filesystem::remove_all does. What is gone already is no error.
/// @throws SystemError for the first entry that could not be removed, after having tried all others
void remove_tree(const std::filesystem::path& path);

/// A fresh directory under `parent` (default: std::filesystem::temp_directory_path()), removed with all its content
/// when it goes.
class TempDir {
 public:
  explicit TempDir(std::string_view prefix = "mayfly-", const std::filesystem::path& parent = {});
  /// The same with a name of the caller's. @throws SystemError, EEXIST when there is something
  [[nodiscard]] static TempDir make(const std::filesystem::path& path);
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&& other) noexcept;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Leaves the directory to the caller.
  std::filesystem::path release() noexcept { return std::exchange(path_, {}); }

 private:
  struct Taken {
    std::filesystem::path path;
  };
  explicit TempDir(Taken taken) : path_(std::move(taken.path)) {}
  void remove() noexcept;
  std::filesystem::path path_;
};

}  // namespace mayfly
