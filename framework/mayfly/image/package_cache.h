#pragma once

#include <filesystem>
#include <string>

#include "mayfly/support/paths.h"

// Internal to the module.
namespace mayfly {

/// The .deb files that builds of images have downloaded from a mirror, so that the next build downloads only what it
/// needs more. A build works in a directory of its own with hard links to all of them, so builds never wait for one
/// another, and `mayfly image prune` may remove the cache at any time.
///
/// apt takes a file of the right name and size for the package, so they are on the disk before they can be seen here.
class PackageCache {
 public:
  /// @param mirror as the recipe names it; empty: Debian's archive, on whatever mirror
  PackageCache(const Paths& paths, const std::string& mirror);

  /// Fills an existing empty directory of the store's file system.
  void lay_out(const std::filesystem::path& archives) const;

  /// Keeps what apt has added to the directory. Best effort: a full disk is no reason to fail here.
  void take_in(const std::filesystem::path& archives) const noexcept;

  /// Removes all of them.
  void forget() const;

 private:
  std::filesystem::path directory_;
};

}  // namespace mayfly
