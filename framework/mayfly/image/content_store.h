#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "mayfly/image/image.h"

namespace mayfly {

/// A directory of immutable entries named by the hash of their inputs. An entry is either absent or whole: it is built in
/// the staging directory and renamed into place. Several processes may want the same entry: one builds it under a
/// flock(2) on locks/<key>, the others wait.
class ContentStore {
 public:
  /// @param directory one of Paths' store directories, e.g. images(); created when missing
  ContentStore(Paths paths, std::filesystem::path directory);

  [[nodiscard]] std::optional<std::filesystem::path> find(std::string_view key) const;

  /// Fills `staging` (an empty directory, which becomes the entry).
  using Builder = std::function<void(const std::filesystem::path& staging)>;

  /// The entry's directory, built by `build` when it is missing. Says through `progress` when it has to wait for another
  /// process. A builder that throws leaves nothing.
  [[nodiscard]] std::filesystem::path ensure(std::string_view key, const BuildScope& scope, const Progress& progress,
                                             const Builder& build);

 private:
  Paths paths_;
  std::filesystem::path directory_;
};

}  // namespace mayfly
