#include "mayfly/support/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

#include "mayfly/support/unique_fd.h"

namespace mayfly::detail {
namespace {

// Everything that the child needs, made before the fork: after it, in a process with threads, only async-signal-safe
// calls are allowed, so no allocation.
struct ChildPlan {
  const char* program;
  std::vector<char*> argv;
  std::vector<char*> envp;
  const char* cwd;  // null: inherited
  const std::vector<int>& join_cgroups;
  bool private_mounts;
  ChildStreams streams;
  int status_pipe;
  pid_t parent;
};

enum class Step : int { streams, cgroup, mounts, cwd, exec };

struct Failure {
  Step step;
  int code;
};

[[noreturn]] void give_up(const ChildPlan& plan, Step step) noexcept {
  const Failure failure{step, errno};
  // Smaller than PIPE_BUF, so whole or not at all; when the parent is gone, nobody needs it.
  [[maybe_unused]] const ssize_t written = ::write(plan.status_pipe, &failure, sizeof failure);
  ::_exit(127);
}

// A descriptor that is already where it belongs would keep its O_CLOEXEC: dup2(2) does nothing then.
bool put(int fd, int target) noexcept {
  return fd == target ? ::fcntl(fd, F_SETFD, 0) == 0 : ::dup2(fd, target) == target;
}

[[noreturn]] void run_child(const ChildPlan& plan) noexcept {
  // Tied to the forking thread: run_process() waits in it, so thread and caller end together.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) {
    ::_exit(127);  // the parent died before the line above took effect
  }
  ::setpgid(0, 0);
  for (int signal = 1; signal < NSIG; ++signal) {
    ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int procs : plan.join_cgroups) {
    if (::write(procs, "0", 1) != 1) {
      give_up(plan, Step::cgroup);
    }
  }
  // "/" becomes a slave, so that the host's unmounts still arrive but no mount goes back.
  if (plan.private_mounts &&
      (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)) {
    give_up(plan, Step::mounts);
  }
  if (!put(plan.streams.in, STDIN_FILENO) || !put(plan.streams.out, STDOUT_FILENO) ||
      !put(plan.streams.err, STDERR_FILENO)) {
    give_up(plan, Step::streams);
  }
  // Descriptors that others in the test process opened without O_CLOEXEC. Without effect before Linux 5.11.
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  if (plan.cwd != nullptr && ::chdir(plan.cwd) != 0) {
    give_up(plan, Step::cwd);
  }
  ::execve(plan.program, plan.argv.data(), plan.envp.data());
  give_up(plan, Step::exec);
}

std::vector<std::string> environment_of(const ProcessOptions& options) {
  std::vector<std::string> result;
  for (char** entry = options.clear_env ? nullptr : environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view line = *entry;
    if (!options.env.contains(std::string(line.substr(0, line.find('='))))) {
      result.emplace_back(line);
    }
  }
  for (const auto& [name, value] : options.env) {
    result.push_back(fmt::format("{}={}", name, value));
  }
  return result;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

std::string describe(Step step, const std::vector<std::string>& argv, const ProcessOptions& options) {
  switch (step) {
    case Step::streams:
      return fmt::format("connect the standard streams of '{}'", argv.front());
    case Step::cgroup:
      return fmt::format("join the cgroup for '{}'", argv.front());
    case Step::mounts:
      return fmt::format("make a private mount namespace for '{}'", argv.front());
    case Step::cwd:
      return fmt::format("change to directory '{}' for '{}'", options.cwd.string(), argv.front());
    case Step::exec:
      break;
  }
  return fmt::format("run '{}'", argv.front());
}

}  // namespace

pid_t spawn(const std::filesystem::path& program, const std::vector<std::string>& argv, const ProcessOptions& options,
            const ChildStreams& streams) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw SystemError("create a pipe");
  }
  UniqueFd status(ends[0]);
  UniqueFd child_status(ends[1]);
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = environment_of(options);
  const ChildPlan plan{.program = program.c_str(),
                       .argv = pointers_to(arguments),
                       .envp = pointers_to(environment),
                       .cwd = options.cwd.empty() ? nullptr : options.cwd.c_str(),
                       .join_cgroups = options.join_cgroups,
                       .private_mounts = options.private_mounts,
                       .streams = streams,
                       .status_pipe = child_status.get(),
                       .parent = ::getpid()};
  const pid_t pid = ::fork();
  if (pid == 0) {
    run_child(plan);
  }
  if (pid < 0) {
    const int code = errno;
    throw SystemError(fmt::format("fork for '{}'", argv.front()), code);
  }
  child_status.reset();
  // Ends with nothing read when exec closes the pipe.
  Failure failure{};
  ssize_t count = 0;
  do {
    count = ::read(status.get(), &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  if (count == static_cast<ssize_t>(sizeof failure)) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    throw SystemError(describe(failure.step, argv, options), failure.code);
  }
  return pid;
}

}  // namespace mayfly::detail
