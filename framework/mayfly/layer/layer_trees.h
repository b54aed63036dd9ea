#pragma once

#include <filesystem>
#include <vector>

#include "mayfly/layer/mount.h"
#include "mayfly/layer/overlay.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

// How mount_overlay() holds its layers until the overlay has them.

/// A private copy of the mount that shows `path`, without what is mounted below it, attached nowhere: open_tree(2).
/// @throws SystemError
[[nodiscard]] UniqueFd clone_tree(const std::filesystem::path& path);

/// An empty read-only file system, attached nowhere.
[[nodiscard]] UniqueFd make_empty_tree();

/// Detached copies of the layers, id-mapped as planned.
struct LayerTrees {
  std::vector<UniqueFd> lowers;
  UniqueFd writable;  ///< the directory that holds upper and work; none for a read-only overlay
  bool upper_shifted = false;
};

/// Changes nothing but, where the upper can't be id-mapped, the owners of upper and work.
[[nodiscard]] LayerTrees open_layer_trees(const OverlayPlan& plan, const UniqueFd& id_map_namespace);

/// Attaches trees under `parent`, the lowers as 0, 1, ...; takes them and the directories away again.
class ScratchMounts {
 public:
  static constexpr const char* kMerged = "m";  ///< an empty directory beside them
  static inline const std::filesystem::path kWritable = "rw";

  ScratchMounts(const std::filesystem::path& parent, const LayerTrees& trees);
  ~ScratchMounts();
  ScratchMounts(const ScratchMounts&) = delete;
  ScratchMounts& operator=(const ScratchMounts&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  void attach(const UniqueFd& tree, const std::filesystem::path& name);
  void clear() noexcept;
  std::filesystem::path path_;
  std::vector<Mount> mounts_;
  std::vector<std::filesystem::path> directories_;
};

/// Moves the process to a directory and back.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::filesystem::path& path);
  ~WorkingDirectory();
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

 private:
  UniqueFd back_;
};

}  // namespace mayfly
