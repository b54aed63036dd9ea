#include "mayfly/image/image.h"

#include <fmt/format.h>

#include <variant>

#include "mayfly/image/image_sources.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

/// One function object for each alternative of a variant.
template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace

Image ensure_image(const ImageRecipe& recipe, const Paths& paths, const BuildScope& scope, const Progress& progress) {
  const ImageContext context{paths, scope, progress};
  return std::visit(Overloaded{
                        [&](const HostImage&) { return ensure_host_image(context); },
                        [&](const DebianImage& debian) { return ensure_debian_image(debian, context); },
                        [&](const TarballImage& tarball) { return ensure_tarball_image(tarball, context); },
                        [&](const DirectoryImage& directory) { return ensure_directory_image(directory, context); },
                    },
                    recipe);
}

std::string describe(const ImageRecipe& recipe) {
  return std::visit(
      Overloaded{
          [](const HostImage&) { return std::string("host"); },
          [](const DebianImage& debian) {
            const std::size_t count = debian.packages.size();
            return count == 0 ? fmt::format("debian {}", debian.suite)
                              : fmt::format("debian {} (+{} package{})", debian.suite, count, count == 1 ? "" : "s");
          },
          [](const TarballImage& tarball) { return fmt::format("tarball '{}'", tarball.path.string()); },
          [](const DirectoryImage& directory) { return fmt::format("directory '{}'", directory.path.string()); },
      },
      recipe);
}

}  // namespace mayfly
