#include "mayfly/exec/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <climits>

#include "mayfly/exec/container_paths.h"
#include "mayfly/exec/file_child.h"
#include "mayfly/exec/spawn.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/exec/vm_child.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr std::size_t kProcFileMax = 1024UL * 1024;

struct FileRequest {
  const char* path;
  char* buffer;
  std::size_t size;
  std::size_t done;
  mode_t mode;
};

/// What `/proc` and `/sys` show depends on who looks: their files are read from inside.
MAYFLY_VM_CHILD int read_inside(void* argument) {
  FileRequest& request = *static_cast<FileRequest*>(argument);
  constexpr int kTries = 10'000;
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT;
  long fd = -EAGAIN;  // as in open_in_root(), which a child that shares memory mustn't call
  for (int tries = 0; tries < kTries && fd == -EAGAIN; ++tries) {
    fd = child_call(SYS_openat2, AT_FDCWD, as_word(request.path), as_word(&how), sizeof how);
  }
  if (fd < 0) {
    return static_cast<int>(-fd);
  }
  while (request.done < request.size) {
    const long size = child_call(SYS_read, fd, as_word(request.buffer + request.done),
                                 static_cast<long>(request.size - request.done));
    if (size == -EINTR) {
      continue;
    }
    if (size < 0) {
      return static_cast<int>(-size);
    }
    if (size == 0) {
      return 0;
    }
    request.done += static_cast<std::size_t>(size);
  }
  return EFBIG;
}

MAYFLY_VM_CHILD int write_inside(void* argument) {
  FileRequest& request = *static_cast<FileRequest*>(argument);
  const long fd = child_open_for_writing(request.path);
  if (fd < 0) {
    return static_cast<int>(-fd);
  }
  if (const int code = child_write_all(fd, request.buffer, request.size); code != 0) {
    return code;
  }
  return child_finish_file(fd, request.mode);
}

bool shown_by_the_kernel(const UniqueFd& file) {
  struct statfs kind {};
  return ::fstatfs(file.get(), &kind) == 0 && (kind.f_type == PROC_SUPER_MAGIC || kind.f_type == SYSFS_MAGIC);
}

std::string read_from_inside(const Target& target, const std::string& path) {
  std::string buffer(kProcFileMax, '\0');
  FileRequest request{.path = path.c_str(), .buffer = buffer.data(), .size = buffer.size(), .done = 0, .mode = 0};
  if (const int code = call_in_container(target, read_inside, &request); code != 0) {
    throw_file_error(target, "read", path, code);
  }
  buffer.resize(request.done);
  return buffer;
}

}  // namespace

std::optional<FileStatus> file_status(const Target& target, const std::string& path, bool follow) {
  const UniqueFd file(open_in_root(target, path, O_PATH | (follow ? 0 : O_NOFOLLOW)));
  if (!file) {
    const int code = -file.get();
    if (code == ENOENT || code == ENOTDIR) {
      if (target.dead()) {
        throw_stopped();
      }
      return std::nullopt;
    }
    throw_file_error(target, "look at", path, code);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) {
    throw_file_error(target, "look at", path, errno);
  }
  FileStatus result{.mode = status.st_mode,
                    .uid = target.state().users.to_container(status.st_uid),
                    .gid = target.state().groups.to_container(status.st_gid),
                    .size = static_cast<std::uint64_t>(status.st_size)};
  if (S_ISLNK(status.st_mode)) {
    std::array<char, PATH_MAX> link{};
    const ssize_t size = ::readlinkat(file.get(), "", link.data(), link.size());
    if (size < 0) {
      throw_file_error(target, "read the symlink", path, errno);
    }
    result.symlink_target.assign(link.data(), static_cast<std::size_t>(size));
  }
  return result;
}

std::string read_file(const Target& target, const std::string& path) {
  // First only a reference: opening a device or a FIFO does things.
  const UniqueFd found(open_in_root(target, path, O_PATH));
  if (!found) {
    throw_file_error(target, "read", path, -found.get());
  }
  struct stat status {};
  if (::fstat(found.get(), &status) != 0) {
    throw_file_error(target, "read", path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    throw_file_error(target, "read", path, S_ISDIR(status.st_mode) ? EISDIR : ENODEV);
  }
  if (shown_by_the_kernel(found)) {
    return read_from_inside(target, path);
  }
  const UniqueFd file(::open(fmt::format("/proc/self/fd/{}", found.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    throw_file_error(target, "read", path, errno);
  }
  return read_all(file.get(), path);
}

void write_file(const Target& target, const std::string& path, std::string_view content, mode_t mode) {
  require_absolute(path);
  FileRequest request{.path = path.c_str(),
                      // Only read from.
                      .buffer = const_cast<char*>(content.data()),
                      .size = content.size(),
                      .done = 0,
                      .mode = mode & 07777};
  if (const int code = call_in_container(target, write_inside, &request); code != 0) {
    throw_file_error(target, "write", path, code);
  }
}

}  // namespace mayfly
