// The peers that use liblxc.
#include <fmt/format.h>
#include <lxc/lxccontainer.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "bench/peers.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"

namespace mayfly::bench {
namespace {

constexpr const char* kPrefix = "mayfly-bench-";
constexpr const char* kLxcPivot = "lxc.pivot";

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

/// What liblxc's daemonized start leaves.
void remove_left_cgroups(bool pivot_too) {
  for (const auto& root : cgroup_roots()) {
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(root, gone)) {
      const std::string name = entry.path().filename();
      if (name.starts_with(fmt::format("lxc.monitor.{}", kPrefix)) ||
          name.starts_with(fmt::format("lxc.payload.{}", kPrefix)) || (name == kLxcPivot && pivot_too)) {
        remove_cgroup(entry.path());
      }
    }
  }
}

constexpr const char* kCommonItems =
    "lxc.include = /usr/share/lxc/config/common.conf\n"
    "lxc.net.0.type = empty\n"
    "lxc.apparmor.profile = unconfined\n";

}  // namespace

LxcTools::LxcTools(const std::filesystem::path& rootfs, std::filesystem::path scratch, const std::string& init)
    : lxcpath_(std::move(scratch)), pivot_existed_(cgroup_exists(kLxcPivot)) {
  // lxc-copy insists on a root file system whose path has the container's name in it.
  const std::filesystem::path base_rootfs = lxcpath_ / "base/rootfs";
  std::filesystem::create_directories(base_rootfs);
  if (mount(rootfs.c_str(), base_rootfs.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    throw SystemError("bind the root file system for lxc-copy");
  }
  write_file(lxcpath_ / "base/config", fmt::format("{}lxc.uts.name = base\nlxc.rootfs.path = dir:{}\n"
                                                   "lxc.init.cmd = {}\n",
                                                   kCommonItems, base_rootfs.string(), init));
}

LxcTools::~LxcTools() {
  umount2((lxcpath_ / "base/rootfs").c_str(), MNT_DETACH);
  remove_left_cgroups(!pivot_existed_);
}

std::string LxcTools::start() {
  const std::string name = fmt::format("{}{}-{}", kPrefix, getpid(), number_++);
  check_process({"lxc-copy", "-P", lxcpath_, "-n", "base", "-N", name, "-e", "-B", "overlay"});
  return name;
}

void LxcTools::attach(const std::string& name, const std::vector<std::string>& command) const {
  std::vector<std::string> argv{"lxc-attach", "-P", lxcpath_, "-n", name, "--clear-env", "--"};
  argv.insert(argv.end(), command.begin(), command.end());
  check_process(argv);
}

void LxcTools::stop(const std::string& name) const { check_process({"lxc-stop", "-P", lxcpath_, "-n", name, "-k"}); }

void LxcTools::cycle() {
  const std::string name = start();
  attach(name, {"/bin/true"});
  stop(name);
}

void liblxc_cycle(const std::filesystem::path& rootfs, const std::filesystem::path& scratch) {
  static std::atomic<int> number{0};
  const std::string name = fmt::format("{}api-{}-{}", kPrefix, getpid(), ++number);
  const std::filesystem::path directory = scratch / name;
  std::filesystem::create_directories(directory / "upper");
  const std::string config = directory / "config";
  write_file(config, fmt::format("{}lxc.rootfs.path = overlay:{}:{}\nlxc.init.cmd = /bin/sleep infinity\n",
                                 kCommonItems, rootfs.string(), (directory / "upper").string()));
  const pid_t child = fork();
  if (child < 0) {
    throw SystemError("fork");
  }
  if (child == 0) {
    lxc_container* container = lxc_container_new(name.c_str(), scratch.c_str());
    lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
    const char* argv[] = {"/bin/true", nullptr};
    const bool ok = container != nullptr && container->load_config(container, config.c_str()) &&
                    container->want_daemonize(container, true) && container->start(container, 0, nullptr) &&
                    container->attach_run_wait(container, &options, argv[0], argv) == 0 && container->stop(container);
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  const bool reaped = waitpid(child, &status, 0) == child;
  remove_tree(directory);
  if (!reaped || status != 0) {
    throw Error(fmt::format("liblxc's container failed with wait status {:#x}", status));
  }
}

}  // namespace mayfly::bench
