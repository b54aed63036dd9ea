#include "mayfly/exec/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "mayfly/exec/command.h"
#include "mayfly/exec/entry.h"
#include "mayfly/exec/host_program.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/exec/vm_child.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    list.push_back(text.c_str());
  }
  list.push_back(nullptr);
  return list;
}

/// Everything that the children read and write; lives on the caller's stack while it waits.
struct Shared : Entry {
  // The program.
  const char* const* argv = nullptr;
  const char** script_argv = nullptr;  ///< /bin/sh, a slot for the path, the arguments
  const char* const* environment = nullptr;
  const char* const* candidates = nullptr;
  int executable = -1;  ///< a descriptor instead
  // call_in_container()
  int (*work)(void*) = nullptr;
  void* work_argument = nullptr;
  // What comes back.
  int pid = 0;
  bool entered = false;  ///< it has come as far as its program; else it was killed on the way, or has failed
};

/// Mounts that the command makes for the container have to reach it, so the copy of the namespace stays its peer, all
/// but for /dev: with that, the tree would reach the container too.
MAYFLY_VM_CHILD void show_private_tree(Shared& shared) noexcept {
  mount_attr apart{};
  apart.propagation = MS_PRIVATE;
  entry_check(shared, EntryStep::tree, child_call(SYS_unshare, CLONE_NEWNS));
  entry_check(shared, EntryStep::tree,
              child_call(SYS_mount_setattr, AT_FDCWD, as_word("/dev"), 0, as_word(&apart), sizeof apart));
  entry_check(shared, EntryStep::tree,
              child_call(SYS_move_mount, shared.private_tree, as_word(""), AT_FDCWD, as_word(PrivateTree::kMountPoint),
                         MOVE_MOUNT_F_EMPTY_PATH));
}

MAYFLY_VM_CHILD void execute(Shared& shared) noexcept {
  if (shared.executable >= 0) {
    entry_failed(shared, EntryStep::execute,
                 child_call(SYS_execveat, shared.executable, as_word(""), as_word(shared.argv),
                            as_word(shared.environment), AT_EMPTY_PATH));
  }
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
      entry_failed(shared, EntryStep::execute, result);
    }
    error = result == -EACCES ? result : error;
  }
  entry_failed(shared, EntryStep::execute, error);
}

/// Born in the container's pid namespace: goes into the others, and becomes the program.
MAYFLY_VM_CHILD void program(void* argument) noexcept {
  Shared& shared = *static_cast<Shared*>(argument);
  reset_signal_handlers();
  entry_enter(shared, CLONE_NEWPID);
  if (shared.private_tree >= 0) {
    show_private_tree(shared);
  }
  entry_take_on(shared);
  const std::uint64_t no_signals = 0;
  child_call(SYS_rt_sigprocmask, SIG_SETMASK, as_word(&no_signals), 0, sizeof no_signals);
  shared.entered = true;
  execute(shared);
}

MAYFLY_VM_CHILD void worker(void* argument) noexcept {
  Shared& shared = *static_cast<Shared*>(argument);
  reset_signal_handlers();
  entry_enter(shared, CLONE_NEWPID);
  entry_bound_capabilities(shared);
  entry_become_user(shared);
  child_call(SYS_umask, 0);
  shared.code = shared.work(shared.work_argument);
  child_exit(0);
}

MAYFLY_VM_CHILD void host_worker(void* argument) noexcept {
  Shared& shared = *static_cast<Shared*>(argument);
  reset_signal_handlers();
  shared.code = shared.work(shared.work_argument);
  child_exit(0);
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
  VmClone clone{.wait = VmClone::Wait::watching,
                .flags = flags | CLONE_PARENT_SETTID,
                .stack_lowest = stack.lowest(),
                .parent_tid = &shared.pid,
                .cgroup_fd = cgroup_fd,
                .entry = entry,
                .argument = &shared};
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
    shared.failed = EntryStep::clone;
    shared.code = static_cast<int>(-child);
    return -1;
  }
  return static_cast<pid_t>(child);
}

/// Tells when a child has left the shared memory: the waiting parent goes on a little before (exec_mmap() in the
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
  const auto argv = pointers(plan.host_program ? plan.host_program->argv : plan.argv);
  const auto environment = pointers(plan.environment);
  const auto candidates = pointers(plan.candidates);
  std::vector<const char*> script_argv{"/bin/sh", nullptr};
  script_argv.insert(script_argv.end(), argv.begin() + 1, argv.end());
  const auto limits = limits_to_set();
  const std::vector<int> cgroups = v1_cgroups(target);
  const ChildStack stack;

  Shared shared{entry_into(target, cgroups)};
  shared.argv = argv.data();
  shared.script_argv = script_argv.data();
  shared.environment = environment.data();
  shared.candidates = candidates.data();
  fill(shared, plan, limits);
  std::vector<int> kept;
  if (plan.host_program) {
    shared.executable = plan.host_program->executable.get();
    for (const UniqueFd& fd : plan.host_program->kept) {
      kept.push_back(fd.get());
    }
    shared.kept = kept.data();
    shared.kept_count = kept.size();
  }

  ContainerProcess process;
  ExecNotice executed;
  try {
    const VmChildScope scope;
    const ChildrenInPidNamespace children(target.init_pidfd());
    process.pid_ = start_child(shared, program, stack, 0, leaf_cgroup);
    if (process.pid_ > 0) {
      process.pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid_, 0)));
      shared.code = process.pidfd_ ? shared.code : errno;
    }
    executed.wait();
  } catch (const SystemError&) {
    throw_if_stopped(target);
    throw;
  }
  if (process.pid_ > 0 && (!shared.entered || shared.failed != EntryStep::none || !process.pidfd_)) {
    // Its end comes before our stack goes, which it may still use.
    process.end();
  }
  if (shared.failed == EntryStep::execute) {
    process.exec_error_ = shared.code;
    return process;
  }
  if (process.pid_ < 0) {
    throw_if_stopped(target);
    if (shared.failed == EntryStep::none && shared.code == 0) {
      throw Error(fmt::format("'{}' was killed or stopped by somebody in the container before it could be executed",
                              plan.argv.front()));
    }
    throw SystemError(describe(shared.failed, plan), shared.code);
  }
  return process;
}

int call_in_container(const Target& target, int (*work)(void*), void* argument, bool share_files) {
  const std::vector<int> cgroups;
  const gid_t root_group = 0;
  const ChildStack stack;
  Shared shared{entry_into(target, cgroups)};
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
  if (killed || shared.failed != EntryStep::none) {
    throw_if_stopped(target);
    throw SystemError(describe(shared.failed, {}), killed ? EINTR : shared.code);
  }
  return shared.code;
}

int call_in_child(int (*work)(void*), void* argument) {
  const ChildStack stack;
  Shared shared;
  shared.work = work;
  shared.work_argument = argument;
  bool killed = false;
  {
    const VmChildScope scope;
    const pid_t child = start_child(shared, host_worker, stack, CLONE_FILES, -1);
    if (child > 0) {
      killed = reap(child).si_code != CLD_EXITED;
    }
  }
  return killed ? EINTR : shared.code;
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

siginfo_t ContainerProcess::wait() { return reap(std::exchange(pid_, -1)); }

ContainerProcess ContainerProcess::adopt(pid_t child) {
  ContainerProcess process;
  process.pid_ = child;
  process.pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!process.pidfd_) {
    throw SystemError("open a pidfd of a process in a container");
  }
  return process;
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
