#pragma once

#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "mayfly/image/prune.h"
#include "mayfly/image/store_listing.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// For people, rounded: "812 B", "1.5 MiB", "213 MiB".
[[nodiscard]] std::string rounded(Bytes size);

/// For people, the largest unit alone: "5s", "3min", "2h", "12d".
[[nodiscard]] std::string rounded_age(std::time_t since, std::time_t now);

/// What `mayfly image ls` prints: a row for each entry, layers indented below their image.
[[nodiscard]] std::string store_table(const std::vector<StoreEntry>& entries, std::time_t now);

/// What `mayfly image ls --json` prints, on one line: `{"store": "/var/cache/mayfly", "size": 5, "entries": [{"kind":
/// "image", "key": ..., "what": ..., "profile": "", "parent": "", "path": ..., "size": 3, "shared": 2, "created": ...,
/// "last_used": ..., "in_use": false}]}`; sizes in bytes, `size` without `shared`; times in seconds since the epoch.
[[nodiscard]] std::string store_json(const std::vector<StoreEntry>& entries, const std::filesystem::path& store);

/// What `mayfly image prune` prints.
[[nodiscard]] std::string prune_text(const PruneReport& report, bool dry_run, std::time_t now);

}  // namespace mayfly
