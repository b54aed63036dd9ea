#include "mayfly/exec/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "mayfly/container/seccomp.h"
#include "mayfly/exec/command.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/exec/vm_child.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

enum class Step { none, cgroup, enter, tree, clone, terminal, descriptors, privileges, user, directory, execute };

std::string describe(Step step, const SpawnPlan& plan) {
  switch (step) {
    case Step::cgroup:
      return "join the container's cgroup";
    case Step::enter:
      return "enter the container's namespaces";
    case Step::tree:
      return fmt::format("show the command a tree of its own at '{}' in the container", PrivateTree::kMountPoint);
    case Step::terminal:
      return "give the command its terminal";
    case Step::descriptors:
      return "set up the command's input and output";
    case Step::privileges:
      return "take on the container's privileges";
    case Step::user:
      return fmt::format("become user '{}' in the container", plan.account.name);
    case Step::directory:
      return fmt::format("change to directory '{}' in the container", plan.cwd);
    case Step::none:
    case Step::clone:
    case Step::execute:
      break;
  }
  return "start a process in the container";
}

struct SoftLimit {
  int resource;
  rlimit limit;
};

/// The kernel's own soft limits, within the caller's hard ones; the test process may have raised or cut its own.
std::vector<SoftLimit> default_limits() {
  struct Default {
    __rlimit_resource_t resource;
    rlim_t soft, hard;
  };
  // More open files than systemd allows make old daemons close millions of descriptors.
  constexpr Default kDefaults[] = {{RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY},
                                   {RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY},
                                   {RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY},
                                   {RLIMIT_STACK, 8 * 1024 * 1024, RLIM_INFINITY},
                                   {RLIMIT_CORE, 0, RLIM_INFINITY},
                                   {RLIMIT_NOFILE, 1024, 524'288},
                                   {RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY}};
  std::vector<SoftLimit> limits;
  for (const Default& wanted : kDefaults) {
    rlimit now{};
    if (::getrlimit(wanted.resource, &now) == 0) {
      const rlim_t hard = std::min(now.rlim_max, wanted.hard);
      limits.push_back({wanted.resource, {std::min(wanted.soft, hard), hard}});
    }
  }
  return limits;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    list.push_back(text.c_str());
  }
  list.push_back(nullptr);
  return list;
}

/// Everything that the children read and write; lives on the caller's stack while it is suspended.
struct Shared {
  // The way in.
  int pidfd = -1;
  int namespaces = 0;
  std::uint64_t capabilities = 0;
  bool no_new_privileges = false;
  const int* cgroups = nullptr;
  std::size_t cgroup_count = 0;
  // The program.
  const char* const* argv = nullptr;
  const char** script_argv = nullptr;  ///< /bin/sh, a slot for the path, the arguments
  const char* const* environment = nullptr;
  const char* const* candidates = nullptr;
  const char* cwd = nullptr;
  const char* fallback_cwd = nullptr;
  int stdio[3] = {-1, -1, -1};
  int private_tree = -1;
  bool controlling_terminal = false;
  uid_t uid = 0;
  gid_t gid = 0;
  const gid_t* groups = nullptr;
  std::size_t group_count = 0;
  const SoftLimit* limits = nullptr;
  std::size_t limit_count = 0;
  std::span<const sock_filter> filter;
  void* inner_stack = nullptr;
  // call_in_container()
  int (*work)(void*) = nullptr;
  void* work_argument = nullptr;
  // What comes back.
  int inner_pid = 0;
  Step failed = Step::none;
  int code = 0;
};

[[noreturn]] MAYFLY_VM_CHILD void fail(Shared& shared, Step step, long negative_errno) noexcept {
  shared.failed = step;
  shared.code = static_cast<int>(-negative_errno);
  child_exit(127);
}

MAYFLY_VM_CHILD void check(Shared& shared, Step step, long result) noexcept {
  if (result < 0) {
    fail(shared, step, result);
  }
}

/// No handler of the caller may run here, and its ignored signals aren't the program's.
MAYFLY_VM_CHILD void reset_signal_handlers() noexcept {
  constexpr long kKernelSignals = 64;
  const std::uint64_t default_action[4] = {};  // the kernel's struct sigaction: SIG_DFL
  for (long number = 1; number <= kKernelSignals; ++number) {
    child_call(SYS_rt_sigaction, number, as_word(default_action), 0, sizeof(std::uint64_t));
  }
}

MAYFLY_VM_CHILD void enter(Shared& shared, int except) noexcept {
  for (std::size_t i = 0; i < shared.cgroup_count; ++i) {
    check(shared, Step::cgroup, child_call(SYS_pwrite64, shared.cgroups[i], as_word("0"), 1, 0));
  }
  check(shared, Step::enter, child_call(SYS_setns, shared.pidfd, shared.namespaces & ~except));
}

/// Mounts that the command makes for the container have to reach it, so the copy of the namespace stays its peer, all
/// but for /dev: with that, the tree would reach the container too.
MAYFLY_VM_CHILD void show_private_tree(Shared& shared) noexcept {
  mount_attr apart{};
  apart.propagation = MS_PRIVATE;
  check(shared, Step::tree, child_call(SYS_unshare, CLONE_NEWNS));
  check(shared, Step::tree, child_call(SYS_mount_setattr, AT_FDCWD, as_word("/dev"), 0, as_word(&apart), sizeof apart));
  check(shared, Step::tree,
        child_call(SYS_move_mount, shared.private_tree, as_word(""), AT_FDCWD, as_word(PrivateTree::kMountPoint),
                   MOVE_MOUNT_F_EMPTY_PATH));
}

/// Entering a user namespace gives every capability in it and a full bounding set.
MAYFLY_VM_CHILD void bound_capabilities(Shared& shared) noexcept {
  for (long number = 0; child_call(SYS_prctl, PR_CAPBSET_READ, number) >= 0; ++number) {
    if ((shared.capabilities >> number & 1) == 0) {
      check(shared, Step::privileges, child_call(SYS_prctl, PR_CAPBSET_DROP, number));
    }
  }
  child_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
}

MAYFLY_VM_CHILD void set_capabilities(Shared& shared, std::uint64_t capabilities) noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  for (int i = 0; i < 2; ++i) {
    data[i].effective = data[i].permitted = static_cast<std::uint32_t>(capabilities >> (32 * i));
  }
  check(shared, Step::privileges, child_call(SYS_capset, as_word(&header), as_word(data)));
}

MAYFLY_VM_CHILD void take_stdio(Shared& shared) noexcept {
  constexpr long kAboveStdio = 3;
  for (int& fd : shared.stdio) {
    // A test process that has closed its own stdio gets pipes numbered 0 to 2: out of the way first.
    const long moved = child_call(SYS_fcntl, fd, F_DUPFD, kAboveStdio);
    check(shared, Step::descriptors, moved);
    fd = static_cast<int>(moved);
  }
  for (long number = 0; number < kAboveStdio; ++number) {
    check(shared, Step::descriptors, child_call(SYS_dup3, shared.stdio[number], number, 0));
  }
  check(shared, Step::descriptors, child_call(SYS_close_range, kAboveStdio, ~0U, CLOSE_RANGE_CLOEXEC));
}

MAYFLY_VM_CHILD void become_user(Shared& shared) noexcept {
  check(shared, Step::user, child_call(SYS_setgroups, static_cast<long>(shared.group_count), as_word(shared.groups)));
  check(shared, Step::user, child_call(SYS_setresgid, shared.gid, shared.gid, shared.gid));
  check(shared, Step::user, child_call(SYS_setresuid, shared.uid, shared.uid, shared.uid));
  set_capabilities(shared, shared.uid == 0 ? shared.capabilities : 0);
}

MAYFLY_VM_CHILD void execute(Shared& shared) noexcept {
  long error = -ENOENT;
  for (const char* const* path = shared.candidates; *path != nullptr; ++path) {
    long result = child_call(SYS_execve, as_word(*path), as_word(shared.argv), as_word(shared.environment));
    if (result == -ENOEXEC) {
      // A script without "#!" is the shell's, as for execvp(3).
      shared.script_argv[1] = *path;
      result = child_call(SYS_execve, as_word(shared.script_argv[0]), as_word(shared.script_argv),
                          as_word(shared.environment));
    }
    if (result != -ENOENT && result != -ENOTDIR && result != -EACCES) {
      fail(shared, Step::execute, result);
    }
    error = result == -EACCES ? result : error;
  }
  fail(shared, Step::execute, error);
}

/// In the container's pid namespace: becomes the program.
MAYFLY_VM_CHILD void inner(void* argument) noexcept {
  Shared& shared = *static_cast<Shared*>(argument);
  child_call(SYS_setsid);
  if (shared.controlling_terminal) {
    check(shared, Step::terminal, child_call(SYS_ioctl, shared.stdio[0], TIOCSCTTY, 0));
  }
  take_stdio(shared);
  for (std::size_t i = 0; i < shared.limit_count; ++i) {
    child_call(SYS_prlimit64, 0, shared.limits[i].resource, as_word(&shared.limits[i].limit));
  }
  bound_capabilities(shared);
  if (shared.no_new_privileges) {
    check(shared, Step::privileges, child_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1));
  }
  check(shared, Step::privileges, -install_seccomp_filter(shared.filter));
  become_user(shared);
  child_call(SYS_umask, S_IWGRP | S_IWOTH);
  long moved = child_call(SYS_chdir, as_word(shared.cwd));
  if (moved < 0 && shared.fallback_cwd != nullptr) {
    moved = child_call(SYS_chdir, as_word(shared.fallback_cwd));
  }
  check(shared, Step::directory, moved);
  // After the change of user, which clears it.
  child_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  const std::uint64_t no_signals = 0;
  child_call(SYS_rt_sigprocmask, SIG_SETMASK, as_word(&no_signals), 0, sizeof no_signals);
  execute(shared);
}

/// On the host's side of the pid namespace, which only a new child enters.
MAYFLY_VM_CHILD void outer(void* argument) noexcept {
  Shared& shared = *static_cast<Shared*>(argument);
  reset_signal_handlers();
  enter(shared, 0);
  if (shared.private_tree >= 0) {
    show_private_tree(shared);
  }
  // With CLONE_PARENT the caller is the program's parent. This process must not be: were it killed first, the program
  // would go to the host's process 1, and the container could not end before that has reaped it.
  VmClone clone{.flags = CLONE_PARENT | CLONE_PARENT_SETTID,
                .stack_lowest = shared.inner_stack,
                .parent_tid = &shared.inner_pid,
                .entry = inner,
                .argument = &shared};
  check(shared, Step::clone, vm_clone(clone));
  child_exit(0);
}

MAYFLY_VM_CHILD void worker(void* argument) noexcept {
  Shared& shared = *static_cast<Shared*>(argument);
  reset_signal_handlers();
  enter(shared, CLONE_NEWPID);
  bound_capabilities(shared);
  become_user(shared);
  child_call(SYS_umask, 0);
  shared.code = shared.work(shared.work_argument);
  child_exit(0);
}

int exit_code_of(const siginfo_t& info) {
  constexpr int kSignalBase = 128;
  return info.si_code == CLD_EXITED ? info.si_status : kSignalBase + info.si_status;
}

/// Waits for a child, whatever signal it ends with.
siginfo_t reap(pid_t child) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | __WALL) != 0) {
    if (errno != EINTR) {
      SystemError error("wait for a command in a container");
      if (error.code() == ECHILD) {
        error.set_hint("this process ignores SIGCHLD, or another thread of it waits for any child");
      }
      throw error;
    }
  }
  return info;
}

/// Starts `entry` as a child in `cgroup_fd`.
pid_t start_child(Shared& shared, void (*entry)(void*), const ChildStack& stack, std::uint64_t flags, int cgroup_fd) {
  VmClone clone{
      .flags = flags, .stack_lowest = stack.lowest(), .cgroup_fd = cgroup_fd, .entry = entry, .argument = &shared};
  long child = vm_clone(clone);
  if (child == -ENOSYS && cgroup_fd >= 0) {
    // Then it moves itself.
    const UniqueFd procs(::openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC));
    std::vector<int> cgroups(shared.cgroups, shared.cgroups + shared.cgroup_count);
    cgroups.push_back(procs.get());
    shared.cgroups = cgroups.data();
    shared.cgroup_count = cgroups.size();
    clone.cgroup_fd = -1;
    child = vm_clone(clone);
  }
  if (child < 0) {
    shared.failed = Step::clone;
    shared.code = static_cast<int>(-child);
    return -1;
  }
  return static_cast<pid_t>(child);
}

/// Tells when a child has left the shared memory: the suspended parent goes on a little before (exec_mmap() in the
/// kernel's fs/exec.c), while descriptors are closed on exec a little after.
class ExecNotice {
 public:
  ExecNotice() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      throw SystemError("make a pipe for a command in a container");
    }
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
  }
  void wait() {
    writer_.reset();
    // Not for ever: another thread may just have forked a child that holds the pipe and never executes anything.
    constexpr int kLongestExecMs = 1'000;
    pollfd end{.fd = reader_.get(), .events = POLLIN, .revents = 0};
    ::poll(&end, 1, kLongestExecMs);
  }

 private:
  UniqueFd reader_, writer_;
};

Shared shared_for(const Target& target, const std::vector<int>& cgroups) {
  const Target::State& state = target.state();
  Shared shared;
  shared.pidfd = state.pidfd.get();
  shared.namespaces = state.namespaces;
  shared.capabilities = state.capabilities;
  shared.no_new_privileges = state.no_new_privileges;
  shared.cgroups = cgroups.data();
  shared.cgroup_count = cgroups.size();
  return shared;
}

std::vector<int> v1_cgroups(const Target& target) {
  std::vector<int> fds;
  for (const UniqueFd& procs : target.state().cgroups_v1) {
    fds.push_back(procs.get());
  }
  return fds;
}

/// Errors of a container that is just being killed come in many forms (ESRCH, ENOMEM, ENODEV, ...).
void throw_if_stopped(const Target& target) {
  constexpr int kDyingMs = 100;
  if (target.state().dies_within(kDyingMs)) {
    throw_stopped();
  }
}

}  // namespace

std::vector<std::string> program_candidates(const std::string& program, std::string_view path) {
  if (program.find('/') != std::string::npos) {
    return {program};
  }
  std::vector<std::string> candidates;
  while (!program.empty()) {
    const std::size_t colon = path.find(':');
    const std::string_view directory = path.substr(0, colon);
    candidates.push_back(directory.empty() ? "./" + program : fmt::format("{}/{}", directory, program));
    if (colon == std::string_view::npos) {
      break;
    }
    path.remove_prefix(colon + 1);
  }
  return candidates;
}

ContainerProcess ContainerProcess::start(const Target& target, const SpawnPlan& plan, int leaf_cgroup) {
  const auto argv = pointers(plan.argv);
  const auto environment = pointers(plan.environment);
  const auto candidates = pointers(plan.candidates);
  std::vector<const char*> script_argv{"/bin/sh", nullptr};
  script_argv.insert(script_argv.end(), argv.begin() + 1, argv.end());
  const auto limits = default_limits();
  const std::vector<int> cgroups = v1_cgroups(target);
  const ChildStack outer_stack;
  const ChildStack inner_stack;

  Shared shared = shared_for(target, cgroups);
  shared.argv = argv.data();
  shared.script_argv = script_argv.data();
  shared.environment = environment.data();
  shared.candidates = candidates.data();
  shared.cwd = plan.cwd.c_str();
  shared.fallback_cwd = plan.fallback_cwd.empty() ? nullptr : plan.fallback_cwd.c_str();
  std::copy(plan.stdio.begin(), plan.stdio.end(), shared.stdio);
  shared.private_tree = plan.private_tree;
  shared.controlling_terminal = plan.controlling_terminal;
  shared.uid = plan.account.uid;
  shared.gid = plan.account.gid;
  shared.groups = plan.account.groups.data();
  shared.group_count = plan.account.groups.size();
  shared.limits = limits.data();
  shared.limit_count = limits.size();
  static const std::vector<sock_filter> filter = make_seccomp_filter();
  shared.filter = filter;
  shared.inner_stack = inner_stack.lowest();

  ContainerProcess process;
  bool outer_killed = false;
  ExecNotice executed;
  {
    const VmChildScope scope;
    const pid_t outer_pid = start_child(shared, outer, outer_stack, 0, leaf_cgroup);
    if (outer_pid > 0) {
      outer_killed = reap(outer_pid).si_code != CLD_EXITED;
    }
    if (shared.inner_pid > 0) {
      process.pid_ = shared.inner_pid;
      process.pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid_, 0)));
      shared.code = process.pidfd_ ? shared.code : errno;
    }
    executed.wait();
  }
  if (process.pid_ > 0 && (outer_killed || shared.failed != Step::none || !process.pidfd_)) {
    // Its end comes before our stack goes, which it may still use.
    process.end();
  }
  if (shared.failed == Step::execute) {
    process.exec_error_ = shared.code;
    return process;
  }
  if (process.pid_ < 0) {
    throw_if_stopped(target);
    throw SystemError(describe(shared.failed, plan), outer_killed ? EINTR : shared.code);
  }
  return process;
}

int call_in_container(const Target& target, int (*work)(void*), void* argument, bool share_files) {
  const std::vector<int> cgroups;
  const gid_t root_group = 0;
  const ChildStack stack;
  Shared shared = shared_for(target, cgroups);
  shared.groups = &root_group;
  shared.group_count = 1;
  shared.work = work;
  shared.work_argument = argument;
  bool killed = false;
  {
    const VmChildScope scope;
    const pid_t child = start_child(shared, worker, stack, share_files ? CLONE_FILES : 0, -1);
    if (child > 0) {
      killed = reap(child).si_code != CLD_EXITED;
    }
  }
  if (killed || shared.failed != Step::none) {
    throw_if_stopped(target);
    throw SystemError(describe(shared.failed, {}), killed ? EINTR : shared.code);
  }
  return shared.code;
}

ContainerProcess::ContainerProcess(ContainerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), exec_error_(other.exec_error_) {}

ContainerProcess& ContainerProcess::operator=(ContainerProcess&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    exec_error_ = other.exec_error_;
  }
  return *this;
}

ContainerProcess::~ContainerProcess() { end(); }

void ContainerProcess::kill() const noexcept {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);  // ours and not yet reaped, so the number can't be another's
  }
}

int ContainerProcess::wait() {
  const pid_t child = std::exchange(pid_, -1);
  return exit_code_of(reap(child));
}

void ContainerProcess::end() noexcept {
  if (pid_ > 0) {
    kill();
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(std::exchange(pid_, -1)), &info, WEXITED | __WALL) != 0 &&
           errno == EINTR) {
    }
  }
}

}  // namespace mayfly
