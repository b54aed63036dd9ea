#include "mayfly/container/monitor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <lxc/lxccontainer.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>

#include "mayfly/container/seccomp.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

struct PutContainer {
  void operator()(lxc_container* container) const { lxc_container_put(container); }
};
using LxcHandle = std::unique_ptr<lxc_container, PutContainer>;

/// Joins the cgroups and namespaces in which liblxc has to run.
void enter_surroundings(const MonitorPlan& plan) {
  for (const int procs : plan.join_cgroups) {
    if (write(procs, "0", 1) != 1) {
      throw SystemError("join the container's control group");
    }
  }
  if (plan.network_namespace >= 0 && setns(plan.network_namespace, CLONE_NEWNET) != 0) {
    throw SystemError("enter the session's network");
  }
  if ((plan.network_namespace >= 0 || plan.cgroup_view >= 0) && unshare(CLONE_NEWNS) != 0) {
    throw SystemError("make a mount namespace for a monitor");
  }
  // liblxc looks in /sys/class/net/<bridge>/bridge whether it is a bridge, and a sysfs mount shows the network
  // namespace that it was mounted in.
  if (plan.network_namespace >= 0 && mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0) {
    throw SystemError("show the session's network in /sys");
  }
  if (plan.cgroup_view >= 0 &&
      syscall(SYS_move_mount, plan.cgroup_view, "", AT_FDCWD, "/sys/fs/cgroup", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    throw SystemError("show the control groups in /sys");
  }
  if (const int error = install_seccomp_filter(plan.filter); error != 0) {
    throw SystemError("install the system call filter", error);
  }
}

/// What init inherits as its standard streams where liblxc gives it no console; closes all other descriptors.
void redirect_streams(int input) {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0 || dup2(input >= 0 ? input : null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
      dup2(null, STDERR_FILENO) < 0) {
    throw SystemError("open '/dev/null'");
  }
  close_range(STDERR_FILENO + 1, ~0U, 0);
}

void configure(lxc_container* container, const MonitorPlan& plan) {
  for (const LxcItem& item : plan.items) {
    if (!container->set_config_item(container, item.key.c_str(), item.value.c_str())) {
      throw Error(fmt::format("liblxc refuses '{} = {}'", item.key, item.value));
    }
  }
  container->want_daemonize(container, false);
}

}  // namespace

void run_monitor(const MonitorPlan& plan, int keeper, MonitorResult& result) noexcept {
  // PDEATHSIG is tied to the thread that forked, which is why the keeper has one only.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != keeper) {
    _exit(1);
  }
  prctl(PR_SET_NAME, "mayfly-monitor");
  // Ignored signals would stay ignored in the container's init.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGCHLD}) {
    std::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  try {
    enter_surroundings(plan);
    // After the cgroups and namespaces, whose descriptors are among them.
    redirect_streams(plan.started);
    // With a PATH, liblxc finds newuidmap(1) where that is installed, and then wants /etc/subuid to list the ids.
    unsetenv("PATH");
    const LxcHandle container(lxc_container_new(plan.name.c_str(), plan.lxc_path.c_str()));
    if (!container) {
      throw Error("liblxc can't make a container object");
    }
    configure(container.get(), plan);
    std::vector<std::string> init = plan.init;
    std::vector<char*> argv;
    argv.reserve(init.size() + 1);
    for (std::string& argument : init) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    result.ran = container->start(container.get(), 0, argv.data());
    result.init_status = container->error_num;
  } catch (const std::exception& error) {
    const std::string_view text = error.what();
    text.copy(result.failure, sizeof result.failure - 1);
  }
  // Without exit handlers and destructors: they are the keeper's.
  _exit(0);
}

std::string liblxc_version() { return lxc_get_version(); }

}  // namespace mayfly
