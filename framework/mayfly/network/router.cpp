#include "mayfly/network/router.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "mayfly/network/address_pool.h"
#include "mayfly/network/bridge_namespace.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

using namespace std::chrono_literals;

constexpr Milliseconds kReadyWithin = 10s;

// The child's descriptors, named in its arguments.
constexpr int kNamespaceFd = 3;
constexpr int kReadyFd = 4;

constexpr std::array kArguments{
    "slirp4netns", "--netns-type=path", "--mtu=1500", "--ready-fd=4",
    // The host's services on 127.0.0.1 trust everybody who can reach them.
    "--disable-host-loopback",
    // It parses what containers send: it gets an empty root, no capability and few system calls.
    "--enable-sandbox", "--enable-seccomp", "/proc/self/fd/3", "tap0"};

struct Launch {
  const char* program;
  char* const* argv;
  int netns, ready, log, null;
  int mount_namespace;
  pid_t parent;
};

/// Moves a descriptor out of the way of the fixed ones.
int above_fixed(int fd) noexcept { return ::fcntl(fd, F_DUPFD_CLOEXEC, kReadyFd + 1); }

/// Async-signal-safe; ends in exec.
[[noreturn]] void run_slirp(const Launch& launch) noexcept {
  const int netns = above_fixed(launch.netns);
  const int ready = above_fixed(launch.ready);
  const int log = above_fixed(launch.log);
  const int null = above_fixed(launch.null);
  // The keeper ignores signals that a terminal sends; ignoring outlives exec.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) {
    ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // slirp4netns' sandbox makes a mount namespace, in which only "/" is private, and unmounts everything: where the
  // host's mounts are shared, as systemd makes them, that would unmount /sys/fs/cgroup, /dev/shm, ... on the host.
  const bool entered = (launch.mount_namespace < 0 || ::setns(launch.mount_namespace, CLONE_NEWNS) == 0) &&
                       ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0;
  if (entered && ::dup2(null, STDIN_FILENO) >= 0 && ::dup2(log, STDOUT_FILENO) >= 0 &&
      ::dup2(log, STDERR_FILENO) >= 0 && ::dup2(netns, kNamespaceFd) >= 0 && ::dup2(ready, kReadyFd) >= 0 &&
      ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == launch.parent) {
    ::execv(launch.program, launch.argv);
  }
  static constexpr char kText[] = "can't be executed\n";
  static_cast<void>(::write(log, kText, sizeof kText - 1) >= 0);
  ::_exit(127);
}

std::string text_of(const UniqueFd& log) {
  ::lseek(log.get(), 0, SEEK_SET);
  return read_all(log.get(), "log of slirp4netns");
}

/// A byte when slirp4netns has opened the tap, an end of file when it has ended.
bool becomes_ready(const UniqueFd& ready) {
  const Deadline deadline = Deadline::after(kReadyWithin);
  pollfd wait{ready.get(), POLLIN, 0};
  for (;;) {
    const int events = ::poll(&wait, 1, deadline.poll_timeout());
    if (events == 0) {
      throw TimeoutError(fmt::format("slirp4netns isn't ready after {}", to_string(kReadyWithin)));
    }
    if (events > 0) {
      char byte = 0;
      return ::read(ready.get(), &byte, 1) == 1;
    }
    if (errno != EINTR) {
      throw SystemError("wait for slirp4netns");
    }
  }
}

std::filesystem::path find_slirp() {
  if (const auto program = find_program("slirp4netns")) {
    return *program;
  }
  Error error("network = \"nat\" needs slirp4netns, which isn't installed");
  error.set_hint("apt-get install slirp4netns");
  throw error;
}

}  // namespace

Router::Router(const RouterOptions& options) {
  const std::filesystem::path program = find_slirp();
  netns_ = make_bridge_namespace();

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw SystemError("create pipe");
  }
  const UniqueFd ready(ends[0]);
  UniqueFd child_ready(ends[1]);
  const UniqueFd log(::memfd_create("slirp4netns-log", MFD_CLOEXEC));
  const UniqueFd null = open_file("/dev/null", O_RDONLY);
  std::array<char*, kArguments.size() + 1> argv{};
  for (std::size_t i = 0; i < kArguments.size(); ++i) {
    argv[i] = const_cast<char*>(kArguments[i]);  // execv(3) changes none of them
  }
  const Launch launch{program.c_str(),         argv.data(), netns_.get(), child_ready.get(), log.get(), null.get(),
                      options.mount_namespace, ::getpid()};
  slirp_ = ::fork();
  if (slirp_ < 0) {
    throw SystemError("fork");
  }
  if (slirp_ == 0) {
    run_slirp(launch);
  }
  slirp_pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, slirp_, 0)));
  child_ready.reset();
  try {
    if (!becomes_ready(ready)) {
      throw Error(fmt::format("slirp4netns can't serve the session's network: {}", tail(text_of(log), 5)));
    }
  } catch (...) {
    end_slirp();
    throw;
  }
}

Router::~Router() { end_slirp(); }

void Router::end_slirp() noexcept {
  // By descriptor: the number may be another's when the caller has reaped the child.
  ::syscall(SYS_pidfd_send_signal, slirp_pidfd_.get(), SIGKILL, nullptr, 0);
  siginfo_t ignored;
  while (::waitid(P_PIDFD, static_cast<id_t>(slirp_pidfd_.get()), &ignored, WEXITED) != 0 && errno == EINTR) {
  }
}

}  // namespace mayfly
