#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/support/paths.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// A file that has names outside of its entry, too: packages and images share files by hard links.
struct SharedFile {
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t bytes = 0;  ///< on disk
  nlink_t names_here = 0;   ///< in the entry
  nlink_t names = 0;        ///< altogether
};

/// What an entry takes on the disk, in allocated blocks.
struct DiskUse {
  std::uint64_t own = 0;  ///< goes with the entry
  std::vector<SharedFile> shared{};

  [[nodiscard]] std::uint64_t shared_bytes() const noexcept;
};

/// Walks a tree, without following symlinks. What goes meanwhile doesn't count.
[[nodiscard]] DiskUse measure(const std::filesystem::path& tree);

/// What `mayfly image ls` shows.
struct StoreEntry {
  enum class Kind {
    image,       ///< a root file system
    layer,       ///< a converged machine, above its image
    dependency,  ///< what a provision step needs: roles, collections, modules, a compiled Propellor
    packages,    ///< downloads of images, for those to come
  };
  Kind kind = Kind::image;
  std::string key{};
  std::filesystem::path path{};
  std::string what{};     ///< "debian bookworm: dbus, nginx", "ansible 'site.yml'"
  std::string profile{};  ///< of a layer: the profile's file that it was made for first
  /// Key of the image that a layer lies on, or that an image was made from; empty: none that is in a store.
  std::string parent{};
  bool orphaned = false;  ///< a layer whose image is gone: no good for anything
  bool in_use = false;    ///< a live session holds it
  std::time_t created = 0;
  std::time_t last_used = 0;
  DiskUse disk{};
};

/// "image", "layer", ...
[[nodiscard]] std::string_view name_of(StoreEntry::Kind kind) noexcept;

/// All entries: images, each followed by the layers that lie on it; then the others. Entries that come and go meanwhile
/// may be missing. For a moment it locks each entry, to see whether it is in use.
/// @throws SystemError, with a hint for those who aren't root
[[nodiscard]] std::vector<StoreEntry> list_store(const Paths& paths);

/// What all entries take together; a file that several share counts once.
[[nodiscard]] Bytes total_size(const std::vector<StoreEntry>& entries);

}  // namespace mayfly
