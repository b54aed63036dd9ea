#include "mayfly/exec/body_debugger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>

#include "mayfly/exec/body_child.h"
#include "mayfly/exec/body_crash.h"
#include "mayfly/exec/debug_help.h"
#include "mayfly/exec/debug_wait.h"
#include "mayfly/exec/gdb.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

struct Settings {
  std::mutex mutex;
  BodyDebugging value;
};
Settings& settings() {
  static Settings the_settings;
  return the_settings;
}

UniqueFd make_eventfd() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) {
    throw SystemError("make an eventfd");
  }
  return fd;
}

bool is_ready(int fd, int timeout_ms = 0) {
  pollfd event{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&event, 1, timeout_ms) == 1;
}

/// Of a body that has executed another program, gdb would be told the wrong names.
bool runs_this_program(pid_t pid) {
  struct stat theirs {
  }, ours{};
  return ::stat(fmt::format("/proc/{}/exe", pid).c_str(), &theirs) == 0 && ::stat("/proc/self/exe", &ours) == 0 &&
         theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

}  // namespace

void set_body_debugging(BodyDebugging debugging) {
  const std::lock_guard lock(settings().mutex);
  settings().value = std::move(debugging);
}

BodyDebugging body_debugging() {
  const std::lock_guard lock(settings().mutex);
  return settings().value;
}

BodyDebugger::BodyDebugger(const Target& target, OutputPump& pump) : target_(target), pump_(pump) {
  if (!settings_.stop && !saves_gdb_report(settings_)) return;
  // Above what the body has as stdio.
  go_on_.reset(::fcntl(make_eventfd().get(), F_DUPFD_CLOEXEC, 3));
  if (!go_on_) {
    throw SystemError("set up an eventfd for a body in a container");
  }
  went_on_ = make_eventfd();
}

void BodyDebugger::watch(const int* pid, bool shares_memory, int end, Deadline* deadline) {
  pid_ = pid;
  shares_memory_ = shares_memory;
  end_ = end;
  deadline_ = deadline;
}

bool BodyDebugger::alive() const { return pid_ != nullptr && *pid_ > 0 && !is_ready(end_); }

void BodyDebugger::let_go_on() const noexcept { ::eventfd_write(go_on_.get(), 1); }

void BodyDebugger::arrived(char kind, std::string_view bytes) noexcept {
  if (!go_on_) return;
  try {
    switch (kind) {
      case body_record::kStopped:
        if (alive()) stopped(bytes);
        break;
      case body_record::kCrash:
        if (alive()) crashed(bytes);
        break;
      case body_record::kInterrupted:
        traced_ = alive() && is_traced(*pid_);
        if (traced_) let_go_on();
        break;
      case body_record::kWentOn:
        ::eventfd_write(went_on_.get(), 1);
        break;
      default:
        break;
    }
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("a look at a body that has stopped (best effort): {}", error.what()));
    let_go_on();
  }
}

void BodyDebugger::crashed(std::string_view bytes) {
  if (!settings_.stop) {
    const Milliseconds left = deadline_->left();
    save_report();
    *deadline_ = Deadline::after(left);
    let_go_on();
    return;
  }
  CrashRecord crash;
  std::memcpy(&crash, bytes.data(), std::min(bytes.size(), sizeof crash));
  stopped(late_ ? "The body in the container did not return within its time\n" + readable_backtrace(crash)
                : fmt::format("The body in the container dies by SIG{}; it is here:\n{}", ::sigabbrev_np(crash.signal),
                              readable_backtrace(crash)));
}

void BodyDebugger::last_look() noexcept {
  try {
    if (go_on_ && alive()) save_report();
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("gdb's report of a body that hangs (best effort): {}", error.what()));
  }
}

void BodyDebugger::save_report() {
  if (seen_ || !saves_gdb_report(settings_) || is_traced(*pid_) || !runs_this_program(*pid_)) {
    return;
  }
  seen_ = true;
  saved_ = save_gdb_report(settings_, gdb_command(*pid_), "body");
}

void BodyDebugger::stopped(std::string_view why) {
  const Milliseconds left = deadline_->left();
  eventfd_t earlier = 0;
  ::eventfd_read(went_on_.get(), &earlier);
  traced_ = false;
  print_to_person(debugging_help(why, *pid_, {target_}, shares_memory_));
  const int terminal = own_terminal();
  while (wait_for_event(terminal)) {
    take_terminal_line();
    let_go_on();
  }
  *deadline_ = traced_ ? Deadline::never() : Deadline::after(left);
}

/// Goes on to pump the body's output: its other threads may write.
/// @return whether it is the terminal's; else the body goes on, or has ended
bool BodyDebugger::wait_for_event(int terminal) {
  const UniqueFd events(::epoll_create1(EPOLL_CLOEXEC));
  if (!events) {
    throw SystemError("wait for whoever debugs a body");
  }
  for (const int fd : {end_, went_on_.get(), terminal}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (fd >= 0) ::epoll_ctl(events.get(), EPOLL_CTL_ADD, fd, &event);
  }
  while (!pump_.pump_until(events.get(), Deadline::never())) {
  }
  return !is_ready(end_) && !is_ready(went_on_.get());
}

}  // namespace mayfly
