// mayfly-init: process 1 of a container whose image has no init. Reaps orphans; on SIGTERM, SIGINT, SIGPWR or
// SIGRTMIN+3 (what systemd, LXC and people send for "shut down") ends all other processes and exits with status 0.
//
// Its standard input is an eventfd(2) of the keeper, to which it says that it runs.
//
// It needs nothing of the image: no libc, no /dev, no /proc.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <initializer_list>

namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kGrace = 2'000 * kMillisecond;  ///< between SIGTERM and SIGKILL
/// Commands that were started in the container from outside are nobody's children here: no SIGCHLD tells of their end.
constexpr std::int64_t kLook = 20 * kMillisecond;

std::int64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000 * kMillisecond + time.tv_nsec;
}

/// From here on it listens to signals, too.
void say_that_it_runs() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(STDIN_FILENO, &one, sizeof one) == sizeof one);
  ::close(STDIN_FILENO);
}

/// Whatever opens a file next must not get a standard stream's number.
void fill_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF && ::open("/dev/null", O_RDWR) < 0) {
      static_cast<void>(::open("/", O_RDONLY | O_DIRECTORY));
    }
  }
}

void reap() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

bool is_alone() { return ::kill(-1, 0) != 0 && errno == ESRCH; }

void end_all_others(const sigset_t& child_ended) {
  ::kill(-1, SIGTERM);
  ::kill(-1, SIGCONT);  // a stopped process can't act on SIGTERM
  for (const std::int64_t end = now() + kGrace; !is_alone() && now() < end;) {
    const timespec wait{0, kLook};
    ::sigtimedwait(&child_ended, nullptr, &wait);
    reap();
  }
  // The kernel kills what is left with us (pid_namespaces(7)) and waits for it.
}

}  // namespace

int main() {
  sigset_t stop;
  ::sigemptyset(&stop);
  for (const int signal : {SIGTERM, SIGINT, SIGPWR, SIGRTMIN + 3}) {
    ::sigaddset(&stop, signal);
    // Never called, since it is blocked. Shows in /proc/1/status that signals are no longer dropped, which
    // sigwaitinfo() hides: while it waits, nothing counts as blocked.
    ::signal(signal, [](int) {});
  }
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  sigset_t all = stop;
  ::sigaddset(&all, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);

  ::prctl(PR_SET_NAME, "mayfly-init");
  say_that_it_runs();
  fill_standard_streams();
  static_cast<void>(::chdir("/"));

  for (;;) {
    const int signal = ::sigwaitinfo(&all, nullptr);
    reap();
    if (signal > 0 && ::sigismember(&stop, signal) == 1) {
      end_all_others(child_ended);
      return 0;
    }
  }
}
