#include "mayfly/exec/entry.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "mayfly/exec/command.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/support/error.h"
#include "mayfly/support/log.h"

namespace mayfly {

std::string describe(EntryStep step, const SpawnPlan& plan) {
  switch (step) {
    case EntryStep::cgroup:
      return "join the container's cgroup";
    case EntryStep::enter:
      return "enter the container's namespaces";
    case EntryStep::tree:
      return fmt::format("show the command a tree of its own at '{}' in the container", PrivateTree::kMountPoint);
    case EntryStep::terminal:
      return "give the command its terminal";
    case EntryStep::descriptors:
      return "set up the command's input and output";
    case EntryStep::privileges:
      return "take on the container's privileges";
    case EntryStep::user:
      return fmt::format("become user '{}' in the container", plan.account.name);
    case EntryStep::directory:
      return fmt::format("change to directory '{}' in the container", plan.cwd);
    case EntryStep::none:
    case EntryStep::clone:
    case EntryStep::execute:
      break;
  }
  return "start a process in the container";
}

std::vector<SoftLimit> limits_to_set() {
  struct Default {
    __rlimit_resource_t resource;
    rlim_t soft, hard;
  };
  // More open files than systemd allows make old daemons close millions of descriptors.
  constexpr Default kDefaults[] = {{RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY},
                                   {RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY},
                                   {RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY},
                                   {RLIMIT_STACK, 8UL * 1024 * 1024, RLIM_INFINITY},
                                   {RLIMIT_CORE, 0, RLIM_INFINITY},
                                   {RLIMIT_NOFILE, 1024, 524'288},
                                   {RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY}};
  std::vector<SoftLimit> limits;
  for (const Default& wanted : kDefaults) {
    rlimit now{};
    if (::getrlimit(wanted.resource, &now) == 0) {
      const rlim_t hard = std::min(now.rlim_max, wanted.hard);
      const rlim_t soft = std::min(wanted.soft, hard);
      if (soft != now.rlim_cur || hard != now.rlim_max) limits.push_back({wanted.resource, {soft, hard}});
    }
  }
  return limits;
}

ChildrenInPidNamespace::ChildrenInPidNamespace(int init_pidfd)
    : own_(::open("/proc/thread-self/ns/pid", O_RDONLY | O_CLOEXEC)) {
  if (!own_ || ::setns(init_pidfd, CLONE_NEWPID) != 0) {
    throw SystemError("let children be born in the container's pid namespace");
  }
}

ChildrenInPidNamespace::~ChildrenInPidNamespace() {
  if (::setns(own_.get(), CLONE_NEWPID) != 0) {
    // What this thread starts next, as the host's root, would be born in a container.
    log(LogLevel::error, "can't leave a container's pid namespace");
    std::abort();
  }
}

namespace {

int last_capability_of_kernel() {
  int number = 0;
  while (::prctl(PR_CAPBSET_READ, number + 1) >= 0) ++number;
  return number;
}

}  // namespace

Entry entry_into(const Target& target, const std::vector<int>& cgroups) {
  const Target::State& state = target.state();
  Entry entry;
  entry.pidfd = state.pidfd.get();
  entry.namespaces = state.namespaces;
  entry.capabilities = state.capabilities;
  static const int last_capability = last_capability_of_kernel();
  entry.last_capability = last_capability;
  entry.no_new_privileges = state.no_new_privileges;
  entry.cgroups = cgroups.data();
  entry.cgroup_count = cgroups.size();
  return entry;
}

void fill(Entry& entry, const SpawnPlan& plan, const std::vector<SoftLimit>& limits) {
  entry.cwd = plan.cwd.c_str();
  entry.fallback_cwd = plan.fallback_cwd.empty() ? nullptr : plan.fallback_cwd.c_str();
  std::copy(plan.stdio.begin(), plan.stdio.end(), entry.stdio);
  entry.private_tree = plan.private_tree;
  entry.controlling_terminal = plan.controlling_terminal;
  entry.uid = plan.account.uid;
  entry.gid = plan.account.gid;
  entry.groups = plan.account.groups.data();
  entry.group_count = plan.account.groups.size();
  entry.limits = limits.data();
  entry.limit_count = limits.size();
  static const std::vector<sock_filter> filter = make_seccomp_filter();
  entry.filter = filter;
}

std::vector<int> v1_cgroups(const Target& target) {
  std::vector<int> fds;
  for (const UniqueFd& procs : target.state().cgroups_v1) {
    fds.push_back(procs.get());
  }
  return fds;
}

void entry_failed(Entry& entry, EntryStep step, long negative_errno) noexcept {
  entry.failed = step;
  entry.code = static_cast<int>(-negative_errno);
  child_exit(127);
}

void entry_check(Entry& entry, EntryStep step, long result) noexcept {
  if (result < 0) {
    entry_failed(entry, step, result);
  }
}

void reset_signal_handlers() noexcept {
  constexpr long kKernelSignals = 64;
  const std::uint64_t default_action[4] = {};  // the kernel's struct sigaction: SIG_DFL
  for (long number = 1; number <= kKernelSignals; ++number) {
    child_call(SYS_rt_sigaction, number, as_word(default_action), 0, sizeof(std::uint64_t));
  }
}

void entry_enter(Entry& entry, int except) noexcept {
  for (std::size_t i = 0; i < entry.cgroup_count; ++i) {
    entry_check(entry, EntryStep::cgroup, child_call(SYS_pwrite64, entry.cgroups[i], as_word("0"), 1, 0));
  }
  entry_check(entry, EntryStep::enter, child_call(SYS_setns, entry.pidfd, entry.namespaces & ~except));
}

void entry_bound_capabilities(Entry& entry) noexcept {
  for (long number = 0; number <= entry.last_capability; ++number) {
    if ((entry.capabilities >> number & 1) == 0) {
      entry_check(entry, EntryStep::privileges, child_call(SYS_prctl, PR_CAPBSET_DROP, number));
    }
  }
  child_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
}

namespace {

MAYFLY_VM_CHILD void set_capabilities(Entry& entry, std::uint64_t capabilities) noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  for (int i = 0; i < 2; ++i) {
    data[i].effective = data[i].permitted = static_cast<std::uint32_t>(capabilities >> (32 * i));
  }
  entry_check(entry, EntryStep::privileges, child_call(SYS_capset, as_word(&header), as_word(data)));
}

MAYFLY_VM_CHILD void take_stdio(Entry& entry) noexcept {
  constexpr long kAboveStdio = 3;
  for (int& fd : entry.stdio) {
    // A test process that has closed its own stdio gets pipes numbered 0 to 2: out of the way first.
    const long moved = child_call(SYS_fcntl, fd, F_DUPFD, kAboveStdio);
    entry_check(entry, EntryStep::descriptors, moved);
    fd = static_cast<int>(moved);
  }
  for (long number = 0; number < kAboveStdio; ++number) {
    entry_check(entry, EntryStep::descriptors, child_call(SYS_dup3, entry.stdio[number], number, 0));
  }
  entry_check(entry, EntryStep::descriptors, child_call(SYS_close_range, kAboveStdio, ~0U, CLOSE_RANGE_CLOEXEC));
  for (std::size_t i = 0; i < entry.kept_count; ++i) {
    entry_check(entry, EntryStep::descriptors, child_call(SYS_fcntl, entry.kept[i], F_SETFD, 0));
  }
}

}  // namespace

void entry_become_user(Entry& entry) noexcept {
  entry_check(entry, EntryStep::user,
              child_call(SYS_setgroups, static_cast<long>(entry.group_count), as_word(entry.groups)));
  entry_check(entry, EntryStep::user, child_call(SYS_setresgid, entry.gid, entry.gid, entry.gid));
  entry_check(entry, EntryStep::user, child_call(SYS_setresuid, entry.uid, entry.uid, entry.uid));
  set_capabilities(entry, entry.uid == 0 ? entry.capabilities : 0);
}

void entry_take_on(Entry& entry) noexcept {
  child_call(SYS_setsid);
  if (entry.controlling_terminal) {
    entry_check(entry, EntryStep::terminal, child_call(SYS_ioctl, entry.stdio[0], TIOCSCTTY, 0));
  }
  take_stdio(entry);
  for (std::size_t i = 0; i < entry.limit_count; ++i) {
    child_call(SYS_prlimit64, 0, entry.limits[i].resource, as_word(&entry.limits[i].limit));
  }
  entry_bound_capabilities(entry);
  if (entry.no_new_privileges) {
    entry_check(entry, EntryStep::privileges, child_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1));
  }
  entry_check(entry, EntryStep::privileges, -install_seccomp_filter(entry.filter));
  entry_become_user(entry);
  child_call(SYS_umask, S_IWGRP | S_IWOTH);
  long moved = child_call(SYS_chdir, as_word(entry.cwd));
  if (moved < 0 && entry.fallback_cwd != nullptr) {
    moved = child_call(SYS_chdir, as_word(entry.fallback_cwd));
  }
  entry_check(entry, EntryStep::directory, moved);
  // After the change of user, which clears it.
  child_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
}

}  // namespace mayfly
