#include "mayfly/session/init_choice.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <filesystem>
#include <optional>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/open_in_root.h"

namespace mayfly {
namespace {

struct InitFile {
  std::string path;
  bool executable = false;
};

/// The file that `path` leads to in a layer, symlinks resolved inside it.
std::optional<InitFile> resolve_in(const std::filesystem::path& lower, const std::string& path) {
  const UniqueFd root = open_file(lower, O_PATH | O_DIRECTORY);
  const int opened = open_in_root(root.get(), path.c_str(), O_PATH, RESOLVE_NO_MAGICLINKS);
  if (opened == -ENOENT || opened == -ENOTDIR || opened == -ELOOP) {
    return std::nullopt;
  }
  if (opened < 0) {
    throw SystemError(fmt::format("look for init '{}' in the image", path), -opened);
  }
  const UniqueFd file(opened);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) {
    throw SystemError(fmt::format("look at init '{}' in the image", path));
  }
  return InitFile{.path = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", file.get())).string(),
                  .executable = S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0};
}

/// A symlink of an upper layer may lead to a file of a lower one; init and its target come in one package, so the first
/// layer that resolves decides.
std::optional<InitFile> resolve(const Image& image, const std::string& path) {
  for (const std::filesystem::path& lower : image.lowers) {
    if (std::optional<InitFile> found = resolve_in(lower, path)) {
      return found;
    }
  }
  return std::nullopt;
}

InitChoice find_init(const Profile& profile, const Image& image) {
  const bool given = !profile.init.command.empty();
  const bool host = std::holds_alternative<HostImage>(profile.image);
  if (!given && host) {
    return {};
  }
  const std::vector<std::string> argv = given ? profile.init.command : std::vector<std::string>{"/sbin/init"};
  const std::optional<InitFile> file = resolve(image, argv.front());
  if (!file) {
    if (!given) {
      return {};
    }
    Error error(fmt::format("init '{}' doesn't exist in the image ({})", argv.front(), describe(profile.image)));
    error.set_hint("leave out [init] command to use Mayfly's own init, or add systemd-sysv to image.packages");
    throw error;
  }
  if (!file->executable) {
    throw Error(
        fmt::format("init '{}' isn't an executable file in the image ({})", argv.front(), describe(profile.image)));
  }
  return {.argv = argv, .systemd = file->path.ends_with("/systemd")};
}

}  // namespace

InitChoice choose_init(const Profile& profile, const Image& image) {
  InitChoice init = find_init(profile, image);
  if (!init.systemd && !profile.init.mask.empty()) {
    Error error(
        fmt::format("unit '{}' can't be masked: the container's init isn't systemd", profile.init.mask.front()));
    error.set_hint("leave out 'mask' in [init], or add systemd-sysv to image.packages");
    throw error;
  }
  return init;
}

}  // namespace mayfly
