#include "mayfly/exec/container_paths.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "mayfly/exec/target_state.h"
#include "mayfly/support/error.h"

namespace mayfly {

void require_absolute(const std::string& path) {
  if (!path.starts_with('/') || path.find('\0') != std::string::npos) {
    throw Error(fmt::format("path '{}' in a container has to be absolute", path));
  }
}

int open_in_root(const Target& target, const std::string& path, std::uint64_t flags) {
  require_absolute(path);
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  // EAGAIN: a rename at the same moment kept the kernel from knowing that ".." stayed below the root.
  constexpr int kTries = 1000;
  long fd = -1;
  for (int tries = 0; tries < kTries && fd < 0; ++tries) {
    fd = ::syscall(SYS_openat2, target.root_fd(), path.c_str(), &how, sizeof how);
    if (fd < 0 && errno != EAGAIN) {
      break;
    }
  }
  return fd < 0 ? -errno : static_cast<int>(fd);
}

void throw_file_error(const Target& target, std::string_view doing, const std::string& path, int code) {
  if (target.dead()) {
    throw_stopped();
  }
  throw SystemError(fmt::format("{} '{}' in the container", doing, path), code);
}

}  // namespace mayfly
