#include "bench/peers.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"

namespace mayfly::bench {
namespace {

constexpr const char* kPrefix = "mayfly-bench-";
constexpr const char* kLxcPivot = "lxc.pivot";
constexpr const char* kPodmanParent = "libpod_parent";

void require_program(const std::string& program, const std::string& package) {
  if (!find_program(program)) {
    Error error(fmt::format("'{}' isn't installed", program));
    error.set_hint(fmt::format("apt install {}, or leave the row out with --skip", package));
    throw error;
  }
}

/// The mount points of all cgroup hierarchies.
std::vector<std::filesystem::path> cgroup_roots() {
  std::vector<std::filesystem::path> roots{"/sys/fs/cgroup"};
  for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/cgroup")) {
    if (entry.is_directory() && !entry.is_symlink()) {
      roots.push_back(entry.path());
    }
  }
  return roots;
}

/// Removes an empty tree of cgroup directories; rmdir(2) is the only call that cgroup file systems know for it.
void remove_cgroup(const std::filesystem::path& cgroup) {
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator(cgroup, gone)) {
    if (entry.is_directory(gone)) {
      remove_cgroup(entry.path());
    }
  }
  rmdir(cgroup.c_str());
}

bool cgroup_exists(const std::string& name) {
  const std::vector<std::filesystem::path> roots = cgroup_roots();
  return std::any_of(roots.begin(), roots.end(),
                     [&](const auto& root) { return std::filesystem::exists(root / name); });
}

}  // namespace

LxcTools::LxcTools(const std::filesystem::path& rootfs, std::filesystem::path scratch)
    : lxcpath_(std::move(scratch)), pivot_existed_(cgroup_exists(kLxcPivot)) {
  require_program("lxc-copy", "lxc");
  // lxc-copy insists on a root file system whose path has the container's name in it.
  const std::filesystem::path base_rootfs = lxcpath_ / "base/rootfs";
  std::filesystem::create_directories(base_rootfs);
  if (mount(rootfs.c_str(), base_rootfs.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    throw SystemError("bind the root file system for lxc-copy");
  }
  write_file(lxcpath_ / "base/config", fmt::format("lxc.include = /usr/share/lxc/config/common.conf\n"
                                                   "lxc.uts.name = base\n"
                                                   "lxc.rootfs.path = dir:{}\n"
                                                   "lxc.net.0.type = empty\n"
                                                   "lxc.apparmor.profile = unconfined\n"
                                                   "lxc.init.cmd = /bin/sleep infinity\n",
                                                   base_rootfs.string()));
}

LxcTools::~LxcTools() {
  umount2((lxcpath_ / "base/rootfs").c_str(), MNT_DETACH);
  for (const auto& root : cgroup_roots()) {
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(root, gone)) {
      const std::string name = entry.path().filename();
      if (name.starts_with(fmt::format("lxc.monitor.{}", kPrefix)) ||
          name.starts_with(fmt::format("lxc.payload.{}", kPrefix)) || (name == kLxcPivot && !pivot_existed_)) {
        remove_cgroup(entry.path());
      }
    }
  }
}

void LxcTools::cycle() {
  const std::string name = fmt::format("{}{}-{}", kPrefix, getpid(), number_++);
  check_process({"lxc-copy", "-P", lxcpath_, "-n", "base", "-N", name, "-e", "-B", "overlay"});
  check_process({"lxc-attach", "-P", lxcpath_, "-n", name, "--clear-env", "--", "/bin/true"});
  check_process({"lxc-stop", "-P", lxcpath_, "-n", name, "-k"});
}

Podman::Podman(std::filesystem::path rootfs, std::filesystem::path scratch)
    : rootfs_(std::move(rootfs)), scratch_(std::move(scratch)), parent_existed_(cgroup_exists(kPodmanParent)) {
  require_program("podman", "podman");
  // crun refuses hybrid cgroup hosts.
  require_program("runc", "runc");
  std::filesystem::create_directories(scratch_);
}

Podman::~Podman() {
  // podman leaves its storage mounted.
  umount2((scratch_ / "root/overlay").c_str(), MNT_DETACH);
  if (!parent_existed_) {
    for (const auto& root : cgroup_roots()) {
      remove_cgroup(root / kPodmanParent);
    }
  }
}

void Podman::cycle() const {
  // Without --ulimit it raises limits, for which not every root has the capability.
  check_process({"podman",
                 "--root",
                 scratch_ / "root",
                 "--runroot",
                 scratch_ / "run",
                 "--cgroup-manager",
                 "cgroupfs",
                 "--events-backend",
                 "none",
                 "--runtime",
                 "runc",
                 "run",
                 "--rm",
                 "--network",
                 "none",
                 "--ulimit",
                 "nofile=1024:1024",
                 "--ulimit",
                 "nproc=1000:1000",
                 "--rootfs",
                 rootfs_.string() + ":O",
                 "/bin/true"});
}

}  // namespace mayfly::bench
