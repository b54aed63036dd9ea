#pragma once

#include <filesystem>

#include "mayfly/exec/target.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

enum class TreeAccess {
  /// Read-only, its owners as on the host: for what is readable for everybody. A container's root can make it writable,
  /// but is nobody there.
  foreign,
  /// Read-only, its owners those of the container, whose root can't change the mount.
  read_only,
  /// Writable, its owners those of the container.
  writable,
};

/// A copy of the mount that shows a directory or file of the host, attached nowhere, without devices and set-user-id
/// programs. Where owners are to be those of the container and the file system can't be id-mapped, all belongs to
/// nobody. A privileged container's root is the host's, and can change each.
/// @throws SystemError
[[nodiscard]] UniqueFd open_tree_copy(const Target& target, const std::filesystem::path& source, TreeAccess access);

/// A file system in memory (tmpfs(5)) that is attached nowhere, and that nothing leads out of: gone with its last
/// descriptor. Without devices and set-user-id programs.
/// @param mode of its root, "0755"
/// @param size what it may hold, as tmpfs takes it
/// @throws SystemError
[[nodiscard]] UniqueFd open_memory_tree(const char* mode, const char* size);

/// Makes PrivateTree::kMountPoint in the container (an empty directory on its /dev, which is in memory), and
/// open_tree_copy(): for SpawnPlan::private_tree.
/// @throws SystemError
[[nodiscard]] UniqueFd open_private_tree(const Target& target, const std::filesystem::path& directory);

}  // namespace mayfly
