#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mayfly/state/file_moment.h"
#include "mayfly/state/state_diff.h"

namespace mayfly {

/// How a machine calls its ids.
struct OwnerNames {
  std::map<std::uint32_t, std::string> users{}, groups{};
};

/// "file", "directory", "symlink", ...
[[nodiscard]] std::string type_text(const FileEntry& entry);
/// "0644"
[[nodiscard]] std::string mode_text(const FileEntry& entry);
/// "root:adm"
[[nodiscard]] std::string owner_text(const FileEntry& entry, const OwnerNames& names);

/// What differs between two moments of one container, or of two with equal lowers. Sorted by path.
[[nodiscard]] std::vector<StateChange> file_changes(const FileMoment& before, const FileMoment& after,
                                                    const OwnerNames& names_before, const OwnerNames& names_after);

}  // namespace mayfly
