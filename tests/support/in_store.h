#pragma once

#include <filesystem>

#include "mayfly/support/paths.h"

namespace mayfly::test {

/// The store's directory, for a TempDir with an image: on a file system whose owners can be shifted, which /tmp may not
/// be. Made where this is the first test of a machine.
inline std::filesystem::path store_directory() {
  std::filesystem::path store = Paths::from_environment().store;
  if (std::filesystem::create_directories(store)) {
    std::filesystem::permissions(store, std::filesystem::perms::owner_all);
  }
  return store;
}

}  // namespace mayfly::test
