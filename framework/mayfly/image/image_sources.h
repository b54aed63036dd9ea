#pragma once

#include "mayfly/image/image.h"
#include "mayfly/profile/profile.h"

// Internal to the module: ensure_image() for each source.
namespace mayfly {

/// What every source gets.
struct ImageContext {
  const Paths& paths;
  const BuildScope& scope;
  const Progress& progress;
};

[[nodiscard]] Image ensure_host_image(const ImageContext& context);
[[nodiscard]] Image ensure_debian_image(const DebianImage& recipe, const ImageContext& context);
[[nodiscard]] Image ensure_tarball_image(const TarballImage& recipe, const ImageContext& context);
[[nodiscard]] Image ensure_directory_image(const DirectoryImage& recipe, const ImageContext& context);

}  // namespace mayfly
