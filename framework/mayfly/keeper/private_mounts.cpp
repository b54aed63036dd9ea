#include "mayfly/keeper/private_mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "mayfly/layer/mount.h"
#include "mayfly/support/error.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {
namespace {

constexpr const char* kHostRun = "/run/.host";

void attach(const UniqueFd& mount, const std::filesystem::path& target) {
  if (syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    throw SystemError(fmt::format("attach a mount to '{}'", target.string()));
  }
}

}  // namespace

PrivateMounts PrivateMounts::enter() {
  if (unshare(CLONE_NEWNS) != 0) {
    const SystemError cause("make a mount namespace");
    PrivilegeError error(cause.message());
    error.set_hint("run as root with CAP_SYS_ADMIN; in a container, one that may nest others");
    throw error;
  }
  // Slave: unmounts on the host reach this namespace, so that it keeps nothing busy; mounts made here stay here.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    throw SystemError("make the keeper's mounts private");
  }
  UniqueFd host_run(
      static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, "/run", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)));
  if (!host_run) {
    throw SystemError("copy the mount of '/run'");
  }
  mount_tmpfs("/run");
  std::filesystem::create_directory(kHostRun);
  attach(host_run, kHostRun);
  for (const auto& entry : std::filesystem::directory_iterator(kHostRun)) {
    const std::string name = entry.path().filename().string();
    if (name != "lxc" && name != "session" && name != ".host") {
      std::filesystem::create_symlink(entry.path(), "/run/" + name);
    }
  }
  std::filesystem::create_directory(containers());
  std::filesystem::create_directory(lxc_rootfs());
  return {};
}

void PrivateMounts::hide_cgroups() const { mount_tmpfs("/sys/fs/cgroup", {.size = Bytes{4'096}}); }

std::filesystem::path PrivateMounts::host_path(const std::filesystem::path& path) {
  const std::filesystem::path below = path.lexically_normal().lexically_relative("/run");
  return below.empty() || *below.begin() == ".." ? path : std::filesystem::path(kHostRun) / below;
}

}  // namespace mayfly
