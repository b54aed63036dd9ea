#pragma once

#include <filesystem>

// Internal to the module.
namespace mayfly {

/// Makes a whole tree of what an overlay wrote above `base`: adds what `upper` doesn't have from the base, takes out
/// what it deletes, and the overlay's own attributes. Afterwards `upper` is what the overlay showed, and needs the base
/// no more.
///
/// Programs and package lists are hard links to the base's: they take no space, and the page cache holds them once. All
/// other regular files are copies, as some programs refuse a file of theirs with a second name (cron, logrotate).
///
/// @param upper on the file system of `base`; nothing is mounted on either
/// @throws SystemError
void complete_tree(const std::filesystem::path& upper, const std::filesystem::path& base);

}  // namespace mayfly
