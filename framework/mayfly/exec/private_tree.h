#pragma once

#include <filesystem>

#include "mayfly/exec/target.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A read-only copy of the mount that shows `directory`, attached nowhere, its owners those of the container. Where the
/// file system can't be id-mapped, all belongs to nobody.
/// @throws SystemError
[[nodiscard]] UniqueFd open_tree_copy(const Target& target, const std::filesystem::path& directory);

/// Makes PrivateTree::kMountPoint in the container (an empty directory on its /dev, which is in memory), and
/// open_tree_copy(): for SpawnPlan::private_tree.
/// @throws SystemError
[[nodiscard]] UniqueFd open_private_tree(const Target& target, const std::filesystem::path& directory);

}  // namespace mayfly
