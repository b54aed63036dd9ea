#pragma once

#include <sys/stat.h>
#include <cstdint>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "mayfly/exec/target.h"

namespace mayfly {

// Files of a running container from outside. Paths are the container's own and absolute. Symlinks are followed as the
// container would follow them: openat2(2) with RESOLVE_IN_ROOT keeps every one below its root.

/// What stat(2) says, with owners as the container numbers them.
struct FileStatus {
  mode_t mode = 0;  ///< type and permission bits
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint64_t size = 0;
  std::string symlink_target{};  ///< for symlinks (with follow = false)
};

/// Nothing when there is no such file. @throws SystemError on any other failure
[[nodiscard]] std::optional<FileStatus> file_status(const Target& target, const std::string& path, bool follow = true);

/// Only regular files; those of /proc and /sys are read by a process in the container's namespaces, but not in its pid
/// namespace: `/proc/self`, and so `/proc/net`, don't exist for it.
/// @throws SystemError (ENOENT, EISDIR, ENODEV for devices, FIFOs and sockets, ...)
[[nodiscard]] std::string read_file(const Target& target, const std::string& path);

/// Creates or truncates; owned by the container's root; missing parents are an error.
void write_file(const Target& target, const std::string& path, std::string_view content, mode_t mode = 0644);

/// Copies a file or a tree from the host; owners become the container's root, modes and symlinks (as such) are kept.
/// Missing parent directories are made.
void copy_in(const Target& target, const std::filesystem::path& from, const std::string& to);

/// Copies a file or a tree to the host; owned by the caller; device nodes and sockets are left out. Symlinks are copied
/// as symlinks and never followed below `from`.
void copy_out(const Target& target, const std::string& from, const std::filesystem::path& to);

}  // namespace mayfly
