#include "mayfly/exec/debug_wait.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>

#include "mayfly/exec/proc_text.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

volatile std::sig_atomic_t told_by_signal = -1;

void tell(int) {
  const std::uint64_t one = 1;
  const int code = errno;
  static_cast<void>(!::write(told_by_signal, &one, sizeof one));
  errno = code;
}

/// SIGCONT writes to an eventfd, as long as there is one of these.
class ContinueSignal {
 public:
  explicit ContinueSignal(int told) noexcept {
    told_by_signal = told;
    struct sigaction action {};
    action.sa_handler = tell;
    ::sigaction(SIGCONT, &action, &before_);
  }
  ContinueSignal(const ContinueSignal&) = delete;
  ContinueSignal& operator=(const ContinueSignal&) = delete;
  ~ContinueSignal() { ::sigaction(SIGCONT, &before_, nullptr); }

 private:
  struct sigaction before_ {};
};

bool take(int told) noexcept {
  eventfd_t count = 0;
  return ::eventfd_read(told, &count) == 0;
}

}  // namespace

GoOn wait_to_go_on(int told, int terminal, int timeout_ms) noexcept {
  // Not poll(2), which a debugger that comes and goes doesn't wake (signal(7), "by stop signals").
  const int events = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = told;
  if (events < 0 || ::epoll_ctl(events, EPOLL_CTL_ADD, told, &event) != 0) {
    if (events >= 0) ::close(events);
    return GoOn::told;  // rather than to hang
  }
  event.data.fd = terminal;
  if (terminal >= 0) ::epoll_ctl(events, EPOLL_CTL_ADD, terminal, &event);
  const ContinueSignal signal(told);
  const int count = ::epoll_wait(events, &event, 1, timeout_ms);
  ::close(events);
  if (take(told)) return GoOn::told;
  if (count < 0) return GoOn::interrupted;
  return count == 0 ? GoOn::late : GoOn::by_terminal;
}

void forget_go_on(int told) noexcept { take(told); }

bool is_traced(pid_t pid) {
  for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
    // A thread that has ended meanwhile says nothing.
    const std::string status = read_file_if_exists(thread.path() / "status").value_or("");
    if (status_field(status, "TracerPid") == "0") return false;
  }
  return true;
}

int own_terminal() noexcept {
  return ::isatty(STDIN_FILENO) != 0 && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp() ? STDIN_FILENO : -1;
}

void take_terminal_line() noexcept {
  char line[4096];  // what a terminal in its canonical mode holds
  static_cast<void>(!::read(STDIN_FILENO, line, sizeof line));
}

}  // namespace mayfly
