#include "mayfly/state/root_tree.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "mayfly/state/content_digest.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr std::string_view kOverlaysOwn = "trusted.overlay.";
constexpr const char* kCapabilities = "security.capability";

/// Not there, or not to be reached without following a symlink or entering a mount.
bool is_absent(int code) {
  return code == ENOENT || code == ENOTDIR || code == ELOOP || code == EXDEV || code == ENAMETOOLONG || code == ESTALE;
}

/// An O_PATH descriptor's file, for calls that don't take such descriptors; symlinks aren't followed there.
std::string through_proc(const UniqueFd& file) { return fmt::format("/proc/self/fd/{}", file.get()); }

/// How often the result of a call that fills a buffer is asked for again when it grows meanwhile.
constexpr int kTries = 4;

std::string xattr_value(const std::string& file, const char* name) {
  for (int i = 0; i < kTries; ++i) {
    const ssize_t size = ::getxattr(file.c_str(), name, nullptr, 0);
    std::string value(size > 0 ? static_cast<std::size_t>(size) : 0, '\0');
    if (value.empty()) {
      break;
    }
    if (const ssize_t read = ::getxattr(file.c_str(), name, value.data(), value.size()); read >= 0) {
      value.resize(static_cast<std::size_t>(read));
      return value;
    }
  }
  return {};
}

/// A struct vfs_ns_cap_data (linux/capability.h) in words, without its revision and user namespace: they tell how it
/// was stored and not what it grants.
std::string granted_capabilities(std::string value) {
  std::array<std::uint32_t, 5> words{};  // flags; permitted and inheritable of capabilities 0-31 and 32-63
  if (value.size() < sizeof words) {
    return value;
  }
  std::memcpy(words.data(), value.data(), sizeof words);
  const auto set = [&](std::size_t i) { return le32toh(words[i]) | std::uint64_t{le32toh(words[i + 2])} << 32; };
  return fmt::format("permitted {:#x}, inheritable {:#x}{}", set(1), set(2),
                     (le32toh(words[0]) & VFS_CAP_FLAGS_EFFECTIVE) != 0 ? ", effective" : "");
}

std::map<std::string, std::string> read_xattrs(const UniqueFd& file) {
  const std::string path = through_proc(file);
  std::map<std::string, std::string> xattrs;
  std::array<char, 4'096> few{};
  std::string many;
  char* names = few.data();
  ssize_t size = ::listxattr(path.c_str(), names, few.size());
  if (size < 0 && errno == ERANGE) {
    many.resize(XATTR_LIST_MAX);
    names = many.data();
    size = ::listxattr(path.c_str(), names, many.size());
  }
  for (const char* name = names; name < names + size; name += std::strlen(name) + 1) {
    if (!std::string_view(name).starts_with(kOverlaysOwn)) {
      std::string value = xattr_value(path, name);
      xattrs[name] = std::string_view(name) == kCapabilities ? granted_capabilities(std::move(value)) : value;
    }
  }
  return xattrs;
}

std::string read_link(const UniqueFd& link) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlinkat(link.get(), "", target.data(), target.size());
  return size < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

FileTimes::TimePoint time_from(const statx_timestamp& time) {
  return FileTimes::TimePoint(std::chrono::duration_cast<FileTimes::TimePoint::duration>(
      std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)));
}

std::uint32_t without_shift(std::uint32_t id, const std::optional<IdMap>& map) {
  // Ids that the map doesn't have are shown as the overflow id, which isn't shifted.
  return map && id >= map->host_base && id - map->host_base < map->count ? id - map->host_base : id;
}

}  // namespace

std::string child_path(const std::string& directory, const std::string& name) {
  return directory == "/" ? "/" + name : directory + "/" + name;
}

UniqueFd RootTree::open(const std::string& path, int flags) const {
  struct open_how how {};
  how.flags = static_cast<__u64>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  const std::string relative = path == "/" ? "." : path.substr(1);
  UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root_, relative.c_str(), &how, sizeof how)));
  if (!file) {
    if (const int code = errno; !is_absent(code)) {
      throw SystemError(fmt::format("look at '{}' of a container", path), code);
    }
  }
  return file;
}

std::optional<FileEntry> RootTree::entry(const std::string& path) const {
  const UniqueFd file = open(path, O_PATH);
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) {
    return std::nullopt;
  }
  FileEntry entry{.mode = status.st_mode,
                  .uid = without_shift(status.st_uid, id_map_),
                  .gid = without_shift(status.st_gid, id_map_),
                  .xattrs = read_xattrs(file)};
  if (S_ISREG(status.st_mode)) {
    entry.size = static_cast<std::uint64_t>(status.st_size);
  } else if (S_ISLNK(status.st_mode)) {
    entry.link_target = read_link(file);
  } else if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
    entry.device = status.st_rdev;
  }
  return entry;
}

void RootTree::read_content(const std::string& path, FileEntry& entry, std::size_t text_limit) const {
  const UniqueFd found = open(path, O_PATH);
  struct stat status {};
  if (!found || ::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    entry.digest = "gone";
    return;
  }
  const UniqueFd file(::open(through_proc(found).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) {
    // The owner is none of the container's, say.
    entry.digest = fmt::format("unreadable: errno {}", errno);
    return;
  }
  Content content = digest_content(file.get(), static_cast<std::uint64_t>(status.st_size), text_limit);
  entry.size = content.size;
  entry.digest = std::move(content.digest);
  if ((status.st_mode & S_IROTH) != 0) {
    entry.text = std::move(content.text);
  }
}

std::optional<std::string> RootTree::content(const std::string& path) const {
  const UniqueFd found = open(path, O_PATH);
  struct stat status {};
  if (!found || ::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return read_all(open_file(through_proc(found), O_RDONLY).get(), path);
}

std::vector<std::string> RootTree::names(const std::string& path) const {
  std::vector<std::string> names;
  UniqueFd directory = open(path, O_RDONLY | O_DIRECTORY);
  DIR* stream = directory ? ::fdopendir(directory.get()) : nullptr;
  if (stream == nullptr) {
    return names;
  }
  (void)directory.release();  // the stream's now
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

FileTimes RootTree::times(const std::string& path) const {
  const UniqueFd file = open(path, O_PATH);
  struct statx status {};
  if (!file || ::statx(file.get(), "", AT_EMPTY_PATH, STATX_MTIME | STATX_CTIME | STATX_BTIME, &status) != 0) {
    return {};
  }
  return {.modified = time_from(status.stx_mtime),
          .changed = time_from(status.stx_ctime),
          .born = (status.stx_mask & STATX_BTIME) != 0 ? time_from(status.stx_btime) : FileTimes::TimePoint()};
}

bool RootTree::is_opaque(const std::string& path) const {
  const UniqueFd file = open(path, O_PATH);
  return file && xattr_value(through_proc(file), "trusted.overlay.opaque") == "y";
}

}  // namespace mayfly
