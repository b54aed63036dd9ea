#include "mayfly/session/init_choice.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <filesystem>
#include <optional>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// The file that `path` leads to in a layer, symlinks resolved inside it.
std::optional<std::string> resolve_in(const std::filesystem::path& lower, const std::string& path) {
  const UniqueFd root = open_file(lower, O_PATH | O_DIRECTORY);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd file(static_cast<int>(syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
  if (!file) {
    return std::nullopt;
  }
  return std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", file.get())).string();
}

/// A symlink of an upper layer may lead to a file of a lower one; init and its target come in one package, so the first
/// layer that resolves decides.
std::optional<std::string> resolve(const Image& image, const std::string& path) {
  for (const std::filesystem::path& lower : image.lowers) {
    if (std::optional<std::string> found = resolve_in(lower, path)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace

InitChoice choose_init(const Profile& profile, const Image& image) {
  const bool given = !profile.init.command.empty();
  const bool host = std::holds_alternative<HostImage>(profile.image);
  if (!given && host) {
    return {};
  }
  const std::vector<std::string> argv = given ? profile.init.command : std::vector<std::string>{"/sbin/init"};
  const std::optional<std::string> file = resolve(image, argv.front());
  if (!file) {
    if (!given) {
      return {};
    }
    Error error(fmt::format("init '{}' doesn't exist in the image ({})", argv.front(), describe(profile.image)));
    error.set_hint("leave out [init] command to use Mayfly's own init, or add systemd-sysv to image.packages");
    throw error;
  }
  return {.argv = argv, .systemd = file->ends_with("/systemd")};
}

}  // namespace mayfly
