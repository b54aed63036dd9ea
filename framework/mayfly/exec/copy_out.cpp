#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/statfs.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <string_view>

#include "mayfly/exec/container_paths.h"
#include "mayfly/exec/files.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

// Everything goes from directory descriptor to name, one component at a time and never through a symlink: the container
// may swap what it likes while it is being read, on either side of the copy.

constexpr int kMaxDepth = 200;
constexpr mode_t kPermissions = 0777;  // no set-user-ID bits: the copies belong to the caller

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

struct Place {
  std::string from;  ///< for messages
  fs::path to;
};

[[noreturn]] void throw_reading(const Place& place, int code) {
  throw SystemError(fmt::format("read '{}' in the container", place.from), code);
}

[[noreturn]] void throw_writing(const Place& place, int code) {
  throw SystemError(fmt::format("write '{}'", place.to.string()), code);
}

/// Turns an O_PATH descriptor into a real one, of the same file.
UniqueFd reopen(const UniqueFd& found, int flags, const Place& place) {
  UniqueFd file(
      ::open(fmt::format("/proc/self/fd/{}", found.get()).c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) {
    throw_reading(place, errno);
  }
  return file;
}

/// What the kernel makes up: endless, and of no use on the host.
bool is_pseudo(const UniqueFd& found) {
  struct statfs kind {};
  return ::fstatfs(found.get(), &kind) == 0 &&
         (kind.f_type == PROC_SUPER_MAGIC || kind.f_type == SYSFS_MAGIC || kind.f_type == CGROUP2_SUPER_MAGIC);
}

void copy_file(const UniqueFd& found, mode_t mode, int to_directory, const std::string& name, const Place& place) {
  const UniqueFd from = reopen(found, O_RDONLY, place);
  // A new file: one that is there may be a symlink or a hard link.
  if (::unlinkat(to_directory, name.c_str(), 0) != 0 && errno != ENOENT) {
    throw_writing(place, errno);
  }
  constexpr mode_t kPrivate = 0600;
  const UniqueFd to(
      ::openat(to_directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kPrivate));
  if (!to) {
    throw_writing(place, errno);
  }
  std::array<char, 64UL * 1024> buffer;
  while (true) {
    const ssize_t size = ::read(from.get(), buffer.data(), buffer.size());
    if (size < 0) {
      throw_reading(place, errno);
    }
    if (size == 0) {
      break;
    }
    write_all(to.get(), {buffer.data(), static_cast<std::size_t>(size)}, place.to.string());
  }
  if (::fchmod(to.get(), mode & kPermissions) != 0) {
    throw_writing(place, errno);
  }
}

void copy_symlink(const UniqueFd& found, int to_directory, const std::string& name, const Place& place) {
  std::array<char, PATH_MAX + 1> link{};
  if (::readlinkat(found.get(), "", link.data(), PATH_MAX) < 0) {
    throw_reading(place, errno);
  }
  if ((::unlinkat(to_directory, name.c_str(), 0) != 0 && errno != ENOENT) ||
      ::symlinkat(link.data(), to_directory, name.c_str()) != 0) {
    throw_writing(place, errno);
  }
}

void copy_entry(const UniqueFd& found, int to_directory, const std::string& name, const Place& place, int depth);

void copy_directory(const UniqueFd& found, mode_t mode, int to_directory, const std::string& name, const Place& place,
                    int depth) {
  if (depth > kMaxDepth) {
    throw Error(fmt::format("'{}' in the container is nested too deeply to be copied", place.from));
  }
  constexpr mode_t kPrivate = 0700;
  const bool made = ::mkdirat(to_directory, name.c_str(), kPrivate) == 0;
  if (!made && errno != EEXIST) {
    throw_writing(place, errno);
  }
  // At the top it is the caller who may have put a symlink there.
  const int follow = depth == 0 ? 0 : O_NOFOLLOW;
  const UniqueFd to(::openat(to_directory, name.c_str(), O_RDONLY | O_DIRECTORY | follow | O_CLOEXEC));
  if (!to) {
    throw_writing(place, errno);
  }
  UniqueFd from = reopen(found, O_RDONLY | O_DIRECTORY, place);
  const Directory directory(::fdopendir(from.get()));
  if (!directory) {
    throw_reading(place, errno);
  }
  const int from_directory = from.release();  // now the stream's
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) {
      if (errno != 0) {
        throw_reading(place, errno);
      }
      break;
    }
    const std::string child = entry->d_name;
    if (child == "." || child == "..") {
      continue;
    }
    const UniqueFd next(::openat(from_directory, child.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next && errno == ENOENT) {
      continue;  // removed meanwhile
    }
    const Place inside{place.from + "/" + child, place.to / child};
    if (!next) {
      throw_reading(inside, errno);
    }
    copy_entry(next, to.get(), child, inside, depth + 1);
  }
  if (made && ::fchmod(to.get(), mode & kPermissions) != 0) {
    throw_writing(place, errno);
  }
}

void copy_entry(const UniqueFd& found, int to_directory, const std::string& name, const Place& place, int depth) {
  struct stat status {};
  if (::fstat(found.get(), &status) != 0) {
    throw_reading(place, errno);
  }
  if (S_ISLNK(status.st_mode)) {
    copy_symlink(found, to_directory, name, place);
  } else if (depth > 0 && is_pseudo(found)) {
    return;
  } else if (S_ISDIR(status.st_mode)) {
    copy_directory(found, status.st_mode, to_directory, name, place, depth);
  } else if (S_ISREG(status.st_mode)) {
    copy_file(found, status.st_mode, to_directory, name, place);
  } else if (depth == 0) {
    throw Error(fmt::format("'{}' in the container is neither a file nor a directory", place.from));
  }
}

}  // namespace

void copy_out(const Target& target, const std::string& from, const fs::path& to) {
  const UniqueFd found(open_in_root(target, from, O_PATH));
  if (!found) {
    throw_file_error(target, "read", from, -found.get());
  }
  const fs::path destination = fs::absolute(to.has_filename() ? to : to.parent_path()).lexically_normal();
  std::error_code failed;
  fs::create_directories(destination.parent_path(), failed);
  if (failed) {
    throw SystemError(fmt::format("make '{}'", destination.parent_path().string()), failed.value());
  }
  const UniqueFd parent = open_file(destination.parent_path(), O_RDONLY | O_DIRECTORY);
  in_context(fmt::format("copying '{}' in the container to '{}'", from, to.string()), [&] {
    copy_entry(found, parent.get(), destination.filename().string(), {from, destination}, 0);
  });
}

}  // namespace mayfly
