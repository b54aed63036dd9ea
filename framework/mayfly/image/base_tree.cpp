#include "mayfly/image/base_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

/// Where nobody minds how many names a file has.
constexpr std::array<std::string_view, 11> kLinked{
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "boot", "opt", "var/lib/dpkg/info", "var/lib/apt/lists"};

constexpr std::string_view kOverlayAttributes = "trusted.overlay.";

struct Directory {
  UniqueFd fd;
  fs::path path;

  [[nodiscard]] Directory open(const std::string& name) const {
    Directory below{UniqueFd(::openat(fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
                    path / name};
    if (!below.fd) {
      throw SystemError(fmt::format("open '{}'", below.path.string()));
    }
    return below;
  }
  [[nodiscard]] struct stat status(const std::string& name) const {
    struct stat info {};
    if (::fstatat(fd.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      throw SystemError(fmt::format("stat '{}'", (path / name).string()));
    }
    return info;
  }
  [[nodiscard]] std::set<std::string> names() const {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)), ::closedir);
    if (!stream) {
      throw SystemError(fmt::format("list '{}'", path.string()));
    }
    std::set<std::string> found;
    while (const dirent* entry = ::readdir(stream.get())) {
      found.insert(entry->d_name);
    }
    found.erase(".");
    found.erase("..");
    return found;
  }
};

/// By name: extended attributes of a symlink can't be had by descriptor.
fs::path by_name(const Directory& directory, const std::string& name) {
  return fmt::format("/proc/self/fd/{}/{}", directory.fd.get(), name);
}

/// Names of all extended attributes, of a symlink its own.
std::vector<std::string> attributes_of(const fs::path& path) {
  std::string names(1024, '\0');
  ssize_t size = 0;
  while ((size = ::llistxattr(path.c_str(), names.data(), names.size())) < 0 && errno == ERANGE) {
    names.resize(names.size() * 4);
  }
  std::vector<std::string> found;
  for (std::string_view rest(names.data(), size < 0 ? 0 : static_cast<std::size_t>(size)); !rest.empty();) {
    found.emplace_back(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(found.back().size() + 1);
  }
  return found;
}

/// What the overlay noted for itself.
/// @return whether the directory replaces the base's
bool strip_overlay_attributes(const fs::path& path) {
  bool opaque = false;
  for (const std::string& name : attributes_of(path)) {
    if (name.starts_with(kOverlayAttributes)) {
      opaque = opaque || name == "trusted.overlay.opaque";
      if (::lremovexattr(path.c_str(), name.c_str()) != 0) {
        throw SystemError(fmt::format("remove attribute '{}' of '{}'", name, path.string()));
      }
    }
  }
  return opaque;
}

void copy_attributes(const fs::path& from, const fs::path& to) {
  for (const std::string& name : attributes_of(from)) {
    std::string value(65'536, '\0');  // XATTR_SIZE_MAX
    const ssize_t size = ::lgetxattr(from.c_str(), name.c_str(), value.data(), value.size());
    if (size < 0 || ::lsetxattr(to.c_str(), name.c_str(), value.data(), static_cast<std::size_t>(size), 0) != 0) {
      throw SystemError(fmt::format("copy attribute '{}' of '{}'", name, from.string()));
    }
  }
}

void set_times(int directory, const char* name, const struct stat& info) {
  const timespec times[] = {info.st_atim, info.st_mtim};
  if (::utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) != 0) {
    throw SystemError(fmt::format("set the times of '{}'", name));
  }
}

/// Owner first: a change of it takes set-id bits and capabilities away.
void copy_metadata(const Directory& from, const Directory& to, const std::string& name, const struct stat& info) {
  if (::fchownat(to.fd.get(), name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::fchmodat(to.fd.get(), name.c_str(), info.st_mode & 07777, 0) != 0) {
    throw SystemError(fmt::format("set owner and mode of '{}'", (to.path / name).string()));
  }
  copy_attributes(by_name(from, name), by_name(to, name));
  set_times(to.fd.get(), name.c_str(), info);
}

void copy_file(const Directory& from, const Directory& to, const std::string& name, const struct stat& info) {
  const UniqueFd source(::openat(from.fd.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  const UniqueFd target(
      ::openat(to.fd.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!source || !target) {
    throw SystemError(fmt::format("copy '{}'", (from.path / name).string()));
  }
  ssize_t size = 0;
  constexpr std::size_t kPiece = std::size_t{1} << 30;
  while ((size = ::copy_file_range(source.get(), nullptr, target.get(), nullptr, kPiece, 0)) > 0) {
  }
  if (size < 0) {
    throw SystemError(fmt::format("copy '{}'", (from.path / name).string()));
  }
  copy_metadata(from, to, name, info);
}

class TreeCompletion {
 public:
  /// @param base null: nothing to add
  void complete(const Directory& upper, const Directory* base, const fs::path& path, bool linked) {
    struct stat info {};
    if (::fstat(upper.fd.get(), &info) != 0) {
      throw SystemError(fmt::format("stat '{}'", upper.path.string()));
    }
    const std::set<std::string> written = upper.names();
    for (const std::string& name : written) {
      complete_entry(upper, base, path, name, linked);
    }
    if (base != nullptr) {
      for (const std::string& name : base->names()) {
        if (!written.contains(name)) {
          add(*base, upper, path / name, linked || is_linked(path / name));
        }
      }
    }
    const timespec times[] = {info.st_atim, info.st_mtim};
    if (::futimens(upper.fd.get(), times) != 0) {
      throw SystemError(fmt::format("set the times of '{}'", upper.path.string()));
    }
  }

 private:
  static bool is_linked(const fs::path& path) {
    return std::find(kLinked.begin(), kLinked.end(), path.string()) != kLinked.end();
  }

  void complete_entry(const Directory& upper, const Directory* base, const fs::path& path, const std::string& name,
                      bool linked) {
    const struct stat info = upper.status(name);
    if (S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0)) {
      if (::unlinkat(upper.fd.get(), name.c_str(), 0) != 0) {
        throw SystemError(fmt::format("remove '{}'", (upper.path / name).string()));
      }
      return;
    }
    const bool opaque = strip_overlay_attributes(by_name(upper, name));
    if (!S_ISDIR(info.st_mode)) {
      return;
    }
    const Directory below = upper.open(name);
    struct stat under {};
    const bool merges = base != nullptr && !opaque &&
                        ::fstatat(base->fd.get(), name.c_str(), &under, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISDIR(under.st_mode);
    if (merges) {
      const Directory base_below = base->open(name);
      complete(below, &base_below, path / name, linked || is_linked(path / name));
    } else {
      complete(below, nullptr, path / name, linked);
    }
  }

  /// What only the base has.
  void add(const Directory& base, const Directory& to, const fs::path& path, bool linked) {
    const std::string name = path.filename().string();
    const struct stat info = base.status(name);
    if (S_ISDIR(info.st_mode)) {
      if (::mkdirat(to.fd.get(), name.c_str(), 0700) != 0) {
        throw SystemError(fmt::format("create directory '{}'", (to.path / name).string()));
      }
      {
        const Directory below = base.open(name);
        const Directory added = to.open(name);
        for (const std::string& each : below.names()) {
          add(below, added, path / each, linked || is_linked(path / each));
        }
      }
      copy_metadata(base, to, name, info);
      return;
    }
    if (linked || !S_ISREG(info.st_mode)) {
      if (::linkat(base.fd.get(), name.c_str(), to.fd.get(), name.c_str(), 0) == 0) {
        return;
      }
      if (errno != EMLINK || !S_ISREG(info.st_mode)) {
        throw SystemError(fmt::format("link '{}'", (base.path / name).string()));
      }
    }
    copy_file(base, to, name, info);
  }
};

}  // namespace

void complete_tree(const fs::path& upper, const fs::path& base) {
  const auto open = [](const fs::path& path) {
    return Directory{open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), path};
  };
  const Directory below = open(base);
  strip_overlay_attributes(upper);
  TreeCompletion().complete(open(upper), &below, {}, false);
}

}  // namespace mayfly
