#include "mayfly/support/open_in_root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace mayfly {

int open_in_root(int root, const char* path, std::uint64_t flags, std::uint64_t resolve) noexcept {
  constexpr int kTries = 10'000;
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | resolve;
  int code = EAGAIN;
  for (int tries = 0; tries < kTries && code == EAGAIN; ++tries) {
    // glibc has no wrapper for it.
    const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    code = errno;
  }
  return -code;
}

}  // namespace mayfly
