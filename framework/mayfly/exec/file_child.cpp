#include "mayfly/exec/file_child.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include <cerrno>

namespace mayfly {

long child_open_for_writing(const char* path) noexcept {
  constexpr long kPrivate = 0600;
  const long fd = child_call(SYS_openat, AT_FDCWD, as_word(path),
                             O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, kPrivate);
  if (fd < 0) {
    return fd;
  }
  // Not fstat(2): the structure of the system call of that name isn't the same on every architecture.
  struct statx status {};
  const long result = child_call(SYS_statx, fd, as_word(""), AT_EMPTY_PATH, STATX_TYPE, as_word(&status));
  if (result < 0 || !S_ISREG(status.stx_mode)) {
    child_call(SYS_close, fd);
    return result < 0 ? result : -ENODEV;
  }
  return fd;
}

int child_write_all(long fd, const char* content, std::size_t size) noexcept {
  for (std::size_t done = 0; done < size;) {
    const long written = child_call(SYS_write, fd, as_word(content + done), static_cast<long>(size - done));
    if (written < 0 && written != -EINTR) {
      return static_cast<int>(-written);
    }
    done += written < 0 ? 0 : static_cast<std::size_t>(written);
  }
  return 0;
}

int child_finish_file(long fd, mode_t mode) noexcept {
  struct statfs kind {};
  child_call(SYS_fstatfs, fd, as_word(&kind));
  long result = 0;
  if (kind.f_type != PROC_SUPER_MAGIC && kind.f_type != SYSFS_MAGIC && kind.f_type != CGROUP2_SUPER_MAGIC) {
    // First the owner: chown(2) clears the set-user-ID bit.
    result = child_call(SYS_fchown, fd, 0, 0);
    if (result >= 0) {
      result = child_call(SYS_fchmod, fd, mode);
    }
  }
  child_call(SYS_close, fd);
  return static_cast<int>(-result);
}

}  // namespace mayfly
