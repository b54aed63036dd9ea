#include "mayfly/image/rootfs.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

constexpr std::array kTellTale{"etc", "usr", "bin"};

struct MountPoint {
  const char* name;
  mode_t mode;
};
constexpr std::array<MountPoint, 5> kMountPoints{
    {{"dev", 0755}, {"proc", 0555}, {"sys", 0555}, {"run", 0755}, {"tmp", 01777}}};

bool looks_like_root(const fs::path& directory) {
  return std::any_of(kTellTale.begin(), kTellTale.end(), [&](const char* name) {
    // A symlink will do: "bin" is one where /usr is merged, and it may point to an absolute path.
    std::error_code ignored;
    return fs::exists(fs::symlink_status(directory / name, ignored));
  });
}

void set_mode(const fs::path& path, mode_t mode) {
  if (::chmod(path.c_str(), mode) != 0) {
    throw SystemError(fmt::format("set the mode of '{}'", path.string()));
  }
}

}  // namespace

bool make_directory(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) {
      return false;
    }
    throw SystemError(fmt::format("create directory '{}'", path.string()));
  }
  set_mode(path, mode);
  return true;
}

void replace_file(const fs::path& path, std::string_view content, mode_t mode) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw SystemError(fmt::format("remove '{}'", path.string()));
  }
  write_file(path, content, 0600);
  set_mode(path, mode);
}

void add_mount_points(const fs::path& root) {
  for (const MountPoint& point : kMountPoints) {
    make_directory(root / point.name, point.mode);
  }
}

void require_root_file_system(const fs::path& directory, std::string_view what) {
  if (looks_like_root(directory)) {
    return;
  }
  Error error(fmt::format("{} holds no root file system: it has no 'etc', 'usr' or 'bin'", what));
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored) && looks_like_root(entry.path())) {
      error.set_hint(fmt::format("it has one in its directory '{}', which has to be at the top",
                                 entry.path().filename().string()));
      break;
    }
  }
  throw error;
}

}  // namespace mayfly
