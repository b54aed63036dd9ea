#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/image/store_listing.h"
#include "mayfly/support/log.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// Which unused entries go. Without any wish, none.
struct PruneOptions {
  bool all = false;                          ///< whatever isn't in use
  std::optional<Milliseconds> older_than{};  ///< not used for so long
  std::optional<Bytes> keep_size{};          ///< those not used for the longest time, until no more than this is left
  bool dry_run = false;                      ///< only tell
};

/// What was removed, or would have been.
struct PruneReport {
  struct Removed {
    StoreEntry entry;
    Bytes freed;  ///< files that other entries share stay until the last of them goes
  };
  std::vector<Removed> removed{};
  std::vector<StoreEntry> in_use{};  ///< would have gone, but for a live session
  std::size_t notes = 0;             ///< small files beside the entries: digests of tarballs, verdicts of linters
  Bytes freed{};
  Bytes left{};  ///< what all remaining entries take
};

/// The order in which entries go and what each frees; nothing is touched. An image goes only when no layer lies on it
/// any more; an orphaned layer always goes.
[[nodiscard]] PruneReport plan_prune(const std::vector<StoreEntry>& entries, const PruneOptions& options,
                                     std::time_t now);

/// Removes entries that no live session uses, the longest unused first, layers before their images. One that is used
/// while this runs stays. An entry disappears in one step; when this is killed, the next prune removes the rest of it,
/// and what killed builds left.
/// A second one waits for the first.
/// @throws SystemError
PruneReport prune_store(const Paths& paths, const PruneOptions& options, const Progress& progress);

}  // namespace mayfly
