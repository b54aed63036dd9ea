#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/profile/profile.h"
#include "mayfly/support/log.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A root file system that is ready to be a container's read-only base.
struct Image {
  std::string id;                             ///< hash of every input; equal ids mean equal content
  std::vector<std::filesystem::path> lowers;  ///< overlay lowers, topmost first; owners on disk are 0-based
};

/// What a build needs from the session, so that nothing of it survives a killed test process.
struct BuildScope {
  /// `cgroup.procs` files that every program of the build joins; killed with the session.
  std::vector<int> cgroup_procs{};
  /// Called before a path is created; from then on the keeper removes it when the session ends without `disown`.
  std::function<void(const std::filesystem::path&)> own = [](const std::filesystem::path&) {};
  /// Called after the path has gone or has been published under its final name.
  std::function<void(const std::filesystem::path&)> disown = [](const std::filesystem::path&) {};
  /// Called with each entry of the store that is handed out, and the lock that keeps `mayfly image prune` from it: to
  /// be held as long as the entry is used. Without a session nothing holds it.
  std::function<void(const std::filesystem::path& entry, UniqueFd lease)> hold = [](const std::filesystem::path&,
                                                                                    const UniqueFd&) {};
};

/// Makes the image of a recipe available: at once when the store has it or nothing needs building, else by building it
/// under the key's lock, while other processes that want the same wait, with progress.
/// @throws Error that names the recipe and the cause (no such suite, disk full, no such tarball)
[[nodiscard]] Image ensure_image(const ImageRecipe& recipe, const Paths& paths, const BuildScope& scope,
                                 const Progress& progress);

/// The same when the store has it; nothing when it would have to be built.
[[nodiscard]] std::optional<Image> find_image(const DebianImage& recipe, const Paths& paths, const BuildScope& scope);

/// What a recipe is called in messages: "debian bookworm (+3 packages)", "host", "tarball '/x.tar'".
[[nodiscard]] std::string describe(const ImageRecipe& recipe);

}  // namespace mayfly
