#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "mayfly/image/image_sources.h"
#include "mayfly/image/rootfs.h"
#include "mayfly/support/error.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

/// Raised when the same directory starts to give another image.
constexpr const char* kFormat = "directory image 1";

/// What changes with nearly every change of packages, users or configuration. A whole tree would take too long to hash
/// for each container, so a change elsewhere goes unnoticed; docs/images.md says so.
constexpr std::array kWatched{"",         "etc",           "etc/passwd",           "etc/group",         "etc/shadow",
                              "usr/bin",  "usr/lib",       "var/lib/dpkg/status",  "var/lib/rpm",       "opt",
                              "usr/sbin", "usr/local/bin", "lib/apk/db/installed", "etc/systemd/system"};

}  // namespace

Image ensure_directory_image(const DirectoryImage& recipe, const ImageContext&) {
  const std::string what = describe(recipe);
  std::error_code code;
  const fs::path directory = fs::canonical(recipe.path, code);
  if (code) {
    throw SystemError(fmt::format("open image {}", what), code.value());
  }
  if (!fs::is_directory(directory, code)) {
    Error error(fmt::format("image {} is no directory", what));
    error.set_hint("for an archive of a root file system say source = \"tarball\"");
    throw error;
  }
  if (directory == "/") {
    Error error(fmt::format("image {} is the host's own root", what));
    error.set_hint("say source = \"host\", which hides the host's secrets and data");
    throw error;
  }
  require_root_file_system(directory, fmt::format("image {}", what));

  Sha256 hash;
  hash.field(kFormat).field(directory.string());
  for (const char* name : kWatched) {
    struct stat info {};
    // What isn't there counts as all zeros.
    if (::lstat((directory / name).c_str(), &info) != 0 && errno != ENOENT && errno != ENOTDIR) {
      throw SystemError(fmt::format("stat '{}'", (directory / name).string()));
    }
    hash.field(fmt::format("{} {} {} {}.{}", info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                           info.st_mtim.tv_nsec));
  }
  return {.id = hash.hex(), .lowers = {directory}};
}

}  // namespace mayfly
