#pragma once

#include <filesystem>
#include <string>

#include "mayfly/image/debian_archive.h"
#include "mayfly/image/image_sources.h"
#include "mayfly/image/ticker.h"

// Internal to the module: the way from packages to a root file system.
namespace mayfly {

/// What is to be built, and where.
struct DebianBuild {
  const DebianImage& recipe;
  const DebianArchive& archive;
  std::filesystem::path staging;  ///< gets `rootfs`
  std::string what;               ///< for messages: "image debian bookworm"
  /// A root file system of the same suite with fewer packages, to start from; empty: from nothing. It stays as it is.
  std::filesystem::path base{};
  bool lists_are_old = false;  ///< of the base: get the archive's current package lists first
};

/// Builds the tree in memory where there is enough, with what earlier builds have downloaded; keeps what it downloads.
/// @throws Error with mmdebstrap's decisive words
void build_debian(const DebianBuild& build, const ImageContext& context, Ticker& ticker);

}  // namespace mayfly
