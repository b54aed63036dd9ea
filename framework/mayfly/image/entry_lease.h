#pragma once

#include <filesystem>
#include <optional>

#include "mayfly/support/unique_fd.h"

// Internal to the module: who uses an entry of the store, told by flock(2) on the entry's directory. The kernel drops
// the locks of whoever dies, so nothing has to be cleaned up.
namespace mayfly {

/// A shared lock on the entry: while it is open the entry stays in the store. Waits for a claim, which takes
/// microseconds.
/// @return nothing when there is no such entry (any more)
/// @throws SystemError
[[nodiscard]] std::optional<UniqueFd> lease_entry(const std::filesystem::path& entry);

/// An exclusive lock on the entry, to be held no longer than it takes to rename it.
/// @return nothing when somebody uses it, or when there is none
/// @throws SystemError
[[nodiscard]] std::optional<UniqueFd> claim_entry(const std::filesystem::path& entry);

}  // namespace mayfly
