#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "mayfly/exec/command.h"
#include "mayfly/exec/command_plan.h"
#include "mayfly/exec/coverage_files.h"
#include "mayfly/exec/crash_reports.h"
#include "mayfly/exec/exec_cgroup.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/exec/terminal.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// Signals that would end the caller, and the change of the window's size, as a descriptor while this lives. A signal
/// that the caller handles is left to him: taken here, his handler would never see it.
class CaughtSignals {
 public:
  CaughtSignals() {
    sigemptyset(&caught_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) {
      struct sigaction current {};
      if (::sigaction(number, nullptr, &current) == 0 && current.sa_handler == SIG_DFL) {
        sigaddset(&caught_, number);
      }
    }
    pthread_sigmask(SIG_BLOCK, &caught_, &before_);
    fd_ = UniqueFd(::signalfd(-1, &caught_, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  CaughtSignals(const CaughtSignals&) = delete;
  CaughtSignals& operator=(const CaughtSignals&) = delete;
  ~CaughtSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// @return the next signal, 0 when there is none
  [[nodiscard]] int take() const {
    signalfd_siginfo info{};
    return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t caught_, before_;
  UniqueFd fd_;
};

/// Carries keys to the container and its output to the caller.
class TerminalRelay {
 public:
  explicit TerminalRelay(int master) : master_(master) {}

  [[nodiscard]] pollfd keys() const { return {keys_ended_ || !pending_.empty() ? -1 : STDIN_FILENO, POLLIN, 0}; }
  [[nodiscard]] pollfd screen() const {
    return {hung_up_ ? -1 : master_, static_cast<short>(pending_.empty() ? POLLIN : POLLIN | POLLOUT), 0};
  }

  void take_keys() {
    constexpr char kEndOfFile = 4;  // Ctrl-D
    const ssize_t size = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    if (size > 0) {
      pending_.append(buffer_.data(), static_cast<std::size_t>(size));
    } else if (size == 0 || errno != EINTR) {
      keys_ended_ = true;
      pending_ += kEndOfFile;
    }
    send_keys();
  }

  void send_keys() {
    const ssize_t size = ::write(master_, pending_.data(), pending_.size());
    if (size > 0) {
      pending_.erase(0, static_cast<std::size_t>(size));
    }
  }

  /// @return whether there was anything
  bool show_output() {
    const ssize_t size = ::read(master_, buffer_.data(), buffer_.size());
    if (size > 0) {
      write_all(STDOUT_FILENO, {buffer_.data(), static_cast<std::size_t>(size)}, "standard output");
      return true;
    }
    // EIO: nobody has the container's end open any more.
    hung_up_ = size == 0 || (errno != EAGAIN && errno != EINTR);
    return false;
  }

 private:
  int master_;
  bool keys_ended_ = false;
  bool hung_up_ = false;
  std::string pending_{};
  std::array<char, 16UL * 1024> buffer_{};
};

enum class Ending { exited, deadline, interrupted };

class Attachment {
 public:
  Attachment(const SpawnPlan& plan, const CaughtSignals& signals, Deadline& deadline, const Pseudoterminal* terminal)
      : plan_(plan), signals_(signals), deadline_(deadline), terminal_(terminal) {
    if (terminal_ != nullptr) {
      relay_.emplace(terminal_->master.get());
    }
  }

  Ending wait(const ContainerProcess& process) {
    // The signal of a changed window may reach another thread.
    constexpr int kWindowPollMs = 500;
    while (!deadline_.passed()) {
      constexpr pollfd kNone{-1, 0, 0};
      pollfd events[] = {{process.pidfd(), POLLIN, 0},
                         {signals_.fd(), POLLIN, 0},
                         relay_ ? relay_->keys() : kNone,
                         relay_ ? relay_->screen() : kNone,
                         plan_.crash ? pollfd{plan_.crash->waits().get(), POLLIN, 0} : kNone};
      const int timeout = relay_ ? std::min(kWindowPollMs, deadline_.poll_timeout()) : deadline_.poll_timeout();
      if (::poll(events, std::size(events), timeout) < 0 && errno != EINTR) {
        throw SystemError("wait for a command in a container");
      }
      if (relay_) {
        copy_window_size(STDIN_FILENO, terminal_->master.get());
        relay(events[2].revents, events[3].revents);
      }
      if (events[4].revents != 0) look_at_dying(plan_, process, deadline_);
      if (events[0].revents != 0) {
        while (relay_ && relay_->show_output()) {
        }
        return Ending::exited;
      }
      for (int number = events[1].revents != 0 ? signals_.take() : 0; number != 0; number = signals_.take()) {
        if (number != SIGWINCH) {
          signal_ = number;
          return Ending::interrupted;
        }
      }
    }
    return Ending::deadline;
  }

  [[nodiscard]] int signal() const noexcept { return signal_; }

 private:
  void relay(short keys, short screen) {
    if (keys != 0) {
      relay_->take_keys();
    }
    if ((screen & POLLOUT) != 0) {
      relay_->send_keys();
    }
    if ((screen & (POLLIN | POLLHUP | POLLERR)) != 0) {
      relay_->show_output();
    }
  }

  const SpawnPlan& plan_;
  const CaughtSignals& signals_;
  Deadline& deadline_;
  const Pseudoterminal* terminal_;
  std::optional<TerminalRelay> relay_{};
  int signal_ = 0;
};

/// What a program of the host has written for others to read.
void take_files(const SpawnPlan& plan) {
  if (plan.coverage) plan.coverage->collect();
  write_all(STDERR_FILENO, reports_of(plan), "standard error");
}

void attach(const Target& target, const SpawnPlan& plan, const ExecOptions& options, const Pseudoterminal* terminal,
            ExecResult& result) {
  constexpr int kTimedOut = 124;  // as timeout(1) has it
  constexpr int kSignalBase = 128;
  constexpr int kDyingMs = 50;
  const CaughtSignals signals;
  const ExecCgroup cgroup(target);
  ContainerProcess process = ContainerProcess::start(target, plan, cgroup.fd());
  if (process.exec_error() != 0) {
    const ExecFailure failure = explain_exec_failure(target, plan, process.exec_error());
    write_all(STDERR_FILENO, failure.line, "standard error");
    result.exit_code = failure.exit_code;
    return;
  }
  try {
    Deadline deadline = options.timeout ? Deadline::after(*options.timeout) : Deadline::never();
    const std::optional<RawMode> raw =
        terminal == nullptr ? std::nullopt : std::optional<RawMode>(std::in_place, STDIN_FILENO);
    Attachment attachment(plan, signals, deadline, terminal);
    Ending ending = attachment.wait(process);
    while (ending == Ending::deadline && !options.timeout) {
      deadline = Deadline::never();  // which is a day
      ending = attachment.wait(process);
    }
    if (ending == Ending::exited) {
      set_end(result, process.wait());
      take_files(plan);
      // The command's death can be seen a little before that of its container.
      if (result.signal == SIGKILL && target.state().dies_within(kDyingMs)) {
        throw_stopped();
      }
      return;
    }
    result.timed_out = ending == Ending::deadline;
    if (plan.crash && result.timed_out) plan.crash->look_late(process.pid());
    cgroup.kill(process);
    take_files(plan);
    result.signal = result.timed_out ? SIGKILL : attachment.signal();
    result.exit_code = result.timed_out ? kTimedOut : kSignalBase + result.signal;
  } catch (...) {
    cgroup.kill(process);
    throw;
  }
}

}  // namespace

ExecResult run_attached(const Target& target, const std::vector<std::string>& argv, const ExecOptions& options) {
  const auto begin = Deadline::Clock::now();
  ExecResult result{.argv = argv};
  const bool interactive = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  ExecOptions with_terminal = options;
  const char* const kind = std::getenv("TERM");
  if (interactive && kind != nullptr) {
    with_terminal.env.try_emplace("TERM", kind);
  }
  SpawnPlan plan = plan_command(target, argv, with_terminal);
  if (!interactive) {
    plan.stdio = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    attach(target, plan, options, nullptr, result);
  } else {
    Pseudoterminal terminal = open_pseudoterminal(target, target.state().users.to_host(plan.account.uid).value_or(0),
                                                  target.state().groups.to_host(plan.account.gid).value_or(0));
    copy_window_size(STDIN_FILENO, terminal.master.get());
    plan.stdio.fill(terminal.slave.get());
    plan.controlling_terminal = true;
    attach(target, plan, options, &terminal, result);
  }
  result.duration = std::chrono::duration_cast<Milliseconds>(Deadline::Clock::now() - begin);
  return result;
}

}  // namespace mayfly
