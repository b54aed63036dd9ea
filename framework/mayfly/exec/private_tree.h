#pragma once

#include <filesystem>

#include "mayfly/exec/target.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// Makes PrivateTree::kMountPoint in the container (an empty directory on its /dev, which is in memory) and opens a
/// read-only copy of the mount that shows `directory`, attached nowhere, its owners those of the container: for
/// SpawnPlan::private_tree. Where the file system can't be id-mapped, all belongs to nobody.
/// @throws SystemError
[[nodiscard]] UniqueFd open_private_tree(const Target& target, const std::filesystem::path& directory);

}  // namespace mayfly
