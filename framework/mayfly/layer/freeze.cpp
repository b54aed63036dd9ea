#include "mayfly/layer/freeze.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// Emptied, not removed: their modes and owners are the machine's.
constexpr std::array kVolatileDirectories{"dev", "proc", "run", "sys", "var/log/journal"};
constexpr std::array kVolatileFiles{"var/lib/systemd/random-seed"};

/// Ids in a container end here; ids of the host's range begin far above.
constexpr uid_t kFirstForeignId = 65'536;

void make_directory(const std::filesystem::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) {
    if (::chmod(path.c_str(), mode) != 0) {  // whatever the umask
      throw SystemError(fmt::format("set the mode of '{}'", path.string()));
    }
  } else if (const int code = errno; code != EEXIST) {
    throw SystemError(fmt::format("make directory '{}'", path.string()), code);
  }
}

/// A directory below `root`; nothing where there is none. A container could have put a symlink to the host there.
UniqueFd open_below(const UniqueFd& root, const char* name, const std::filesystem::path& root_path) {
  struct open_how how {};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, root.get(), name, &how, sizeof how)));
  if (!fd) {
    const int code = errno;
    if (code != ENOENT && code != ENOTDIR && code != ELOOP) {
      throw SystemError(fmt::format("open '{}'", (root_path / name).string()), code);
    }
  }
  return fd;
}

void empty_directory(const UniqueFd& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0)),
                                                   ::closedir);
  if (!stream) {
    throw SystemError("read a directory");
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  for (const std::string& name : names) {
    remove_tree(fmt::format("/proc/self/fd/{}/{}", directory.get(), name));
  }
}

void strip(const std::filesystem::path& upper) {
  const UniqueFd root = open_file(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  for (const char* name : kVolatileDirectories) {
    if (const UniqueFd directory = open_below(root, name, upper)) {
      in_context(fmt::format("emptying '{}'", (upper / name).string()), [&] { empty_directory(directory); });
    }
  }
  for (const std::filesystem::path name : kVolatileFiles) {
    if (const UniqueFd directory = open_below(root, name.parent_path().c_str(), upper)) {
      if (::unlinkat(directory.get(), name.filename().c_str(), 0) != 0 && errno != ENOENT) {
        throw SystemError(fmt::format("remove '{}'", (upper / name).string()));
      }
    }
  }
}

}  // namespace

WritableLayer make_writable_layer(const std::filesystem::path& directory) {
  WritableLayer layer{directory / "upper", directory / "work"};
  make_directory(layer.upper, 0755);
  make_directory(layer.work, 0700);
  return layer;
}

void freeze(const std::filesystem::path& directory, const std::filesystem::path& entry) {
  const std::filesystem::path upper = directory / "upper";
  struct stat state {};
  if (::lstat(upper.c_str(), &state) != 0) {
    throw SystemError(fmt::format("freeze '{}'", upper.string()));
  }
  if (state.st_uid >= kFirstForeignId || state.st_gid >= kFirstForeignId) {
    throw Error(
        fmt::format("freeze '{}': it holds ids of the host (its root belongs to {}:{}), since its file system "
                    "can't be id-mapped",
                    upper.string(), state.st_uid, state.st_gid));
  }
  remove_tree(directory / "work");
  strip(upper);
  if (directory != entry) {
    if (::rename(upper.c_str(), (entry / "upper").c_str()) != 0) {
      throw SystemError(fmt::format("move '{}' to '{}'", upper.string(), (entry / "upper").string()));
    }
    remove_tree(directory);
  }
}

}  // namespace mayfly
