#include "mayfly/layer/mount.h"

#include <fmt/format.h>
#include <sys/mount.h>

#include <cerrno>

#include "mayfly/support/error.h"
#include "mayfly/support/log.h"

namespace mayfly {

void mount_tmpfs(const std::filesystem::path& target, const TmpfsOptions& options) {
  std::string data = fmt::format("mode={:o}", options.mode);
  if (options.size.count != 0) {
    data += fmt::format(",size={}", options.size.count);
  }
  if (options.inodes != 0) {
    data += fmt::format(",nr_inodes={}", options.inodes);
  }
  if (::mount("mayfly", target.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, data.c_str()) != 0) {
    throw SystemError(fmt::format("mount tmpfs on '{}'", target.string()));
  }
}

bool detach_mount(const std::filesystem::path& target) {
  if (::umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    return true;
  }
  const int code = errno;
  // EINVAL: no mount point (umount(2)).
  if (code == EINVAL || code == ENOENT || code == ENOTDIR) {
    return false;
  }
  throw SystemError(fmt::format("unmount '{}'", target.string()), code);
}

Mount& Mount::operator=(Mount&& other) noexcept {
  if (this != &other) {
    detach_or_log();
    target_ = std::exchange(other.target_, {});
  }
  return *this;
}

void Mount::teardown() {
  if (!target_.empty()) {
    detach_mount(std::exchange(target_, {}));
  }
}

void Mount::detach_or_log() noexcept {
  try {
    teardown();
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("best-effort clean-up: {}", error.what()));
  }
}

}  // namespace mayfly
