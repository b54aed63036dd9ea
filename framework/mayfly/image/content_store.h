#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "mayfly/image/image.h"

namespace mayfly {

/// A directory of immutable entries named by the hash of their inputs. An entry is either absent or whole, also after a
/// power cut: it is built in the staging directory, synced and renamed into place. Several processes may want the same
/// entry: one builds it under a flock(2) on locks/<key>, the others wait.
///
/// An entry's modification time is when it was last asked for, so that the oldest can be pruned (prune.h); one that is
/// in use has a lock on its directory (BuildScope::hold). The directories are open to root alone: a root file system
/// brings setuid programs that nobody keeps up to date.
class ContentStore {
 public:
  /// @param directory one of Paths' store directories, e.g. images(); created when missing
  ContentStore(Paths paths, std::filesystem::path directory);

  /// The entry's directory; marks it as used and lets `scope` hold it.
  [[nodiscard]] std::optional<std::filesystem::path> find(std::string_view key, const BuildScope& scope = {}) const;

  /// Fills `staging` (an empty directory of mode 0700, which becomes the entry).
  using Builder = std::function<void(const std::filesystem::path& staging)>;

  /// The entry's directory, built by `build` when it is missing. Says through `progress` when it has to wait for
  /// another process. A builder that throws leaves nothing; what a killed builder of this key left is removed first.
  /// @throws what the builder throws; SystemError (for ENOSPC with a hint at MAYFLY_STORE_DIR)
  [[nodiscard]] std::filesystem::path ensure(std::string_view key, const BuildScope& scope, const Progress& progress,
                                             const Builder& build);

 private:
  [[nodiscard]] std::filesystem::path build_entry(std::string_view key, const BuildScope& scope, const Builder& build);
  void remove_stale_staging(std::string_view key) const;

  Paths paths_;
  std::filesystem::path directory_;
};

/// For an entry that has nothing else to tell: what it is, for `mayfly image ls`.
void write_recipe(const std::filesystem::path& entry, std::string_view what);

}  // namespace mayfly
