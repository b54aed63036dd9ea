#include "mayfly/testrun/running_processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "mayfly/keeper/client.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/spawn.h"

namespace mayfly {
namespace {

/// A keeper undoes a session within a second; more is only for a host that has other things to do.
constexpr Milliseconds kKeepersPatience{10'000};

Milliseconds since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
}

}  // namespace

RunningProcesses::~RunningProcesses() {
  kill_all();
  for (Process& process : processes_) {
    while (::waitpid(process.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

bool RunningProcesses::start(std::size_t id, const Start& start) {
  const UniqueFd in = open_file("/dev/null", O_RDONLY);
  // Appending, so that a process that truncates or seeks can't write over what another stream has written.
  const UniqueFd out = open_file(start.output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
  const ProcessOptions options{.env = start.env};
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  Process process{.id = id, .started = std::chrono::steady_clock::now(), .timeout = start.timeout};
  process.pid =
      detail::spawn(start.argv.front(), start.argv, options, {.in = in.get(), .out = out.get(), .err = out.get()});
  processes_.push_back(std::move(process));
  // Owned before this can fail.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, processes_.back().pid, 0)));
  if (!pidfd) throw SystemError(fmt::format("open a pidfd of '{}'", start.argv.front()));
  processes_.back().pidfd = std::move(pidfd);
  return true;
}

std::size_t RunningProcesses::count() const {
  const std::lock_guard lock(mutex_);
  return processes_.size();
}

std::vector<RunningProcesses::Ended> RunningProcesses::wait(Milliseconds within) {
  std::vector<pollfd> ends;
  const Deadline deadline = Deadline::after(within);
  Milliseconds patience = within;
  {
    const std::lock_guard lock(mutex_);
    for (const Process& process : processes_) {
      ends.push_back({.fd = process.pidfd.get(), .events = POLLIN, .revents = 0});
      if (process.timeout) {
        patience = std::min(patience, std::max(Milliseconds(1), *process.timeout - since(process.started)));
      }
    }
  }
  if (::poll(ends.data(), ends.size(), static_cast<int>(std::min(patience, deadline.left()).count())) < 0 &&
      errno != EINTR) {
    throw SystemError("wait for test processes");
  }
  kill_overdue();
  std::vector<std::pair<pid_t, Ended>> ended;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if ((ends[i].revents & POLLIN) == 0) continue;
      const pid_t pid = processes_[i].pid;  // reap() forgets it
      ended.emplace_back(pid, reap(processes_[i]));
    }
    std::erase_if(processes_, [](const Process& process) { return process.pid < 0; });
  }
  std::vector<Ended> result;
  for (const auto& [pid, end] : ended) {
    if (end.end.signal != 0) await_keeper(pid);
    result.push_back(end);
  }
  return result;
}

void RunningProcesses::kill_overdue() {
  const std::lock_guard lock(mutex_);
  for (Process& process : processes_) {
    if (process.timeout && !process.timed_out && since(process.started) >= *process.timeout) {
      process.timed_out = true;
      ::kill(-process.pid, SIGKILL);
    }
  }
}

RunningProcesses::Ended RunningProcesses::reap(Process& process) const {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(process.pid), &info, WEXITED) < 0 && errno == EINTR) {
  }
  Ended ended{.id = process.id, .end = {.duration = since(process.started)}};
  if (info.si_code == CLD_EXITED) {
    ended.end.exit_code = info.si_status;
  } else {
    ended.end.signal = info.si_status;
    if (process.timed_out) ended.end.timed_out = process.timeout;
  }
  process.pid = -1;
  return ended;
}

void RunningProcesses::await_keeper(pid_t owner) const noexcept {
  const Deadline deadline = Deadline::after(kKeepersPatience);
  try {
    // A session that is being undone may have lost its owner's name already.
    const auto lives = [&] {
      const std::vector<SessionInfo> sessions = list_sessions(paths_);
      return std::any_of(sessions.begin(), sessions.end(), [&](const SessionInfo& session) {
        return session.alive && (session.owner_pid == owner || session.owner_pid <= 0);
      });
    };
    constexpr int kLookAgain = 5;
    while (lives() && !deadline.passed()) static_cast<void>(::poll(nullptr, 0, kLookAgain));
  } catch (const std::exception& error) {
    // Who may not look there has none, either.
    log(LogLevel::debug, fmt::format("look for the sessions of process {}: {}", owner, error.what()));
  }
}

void RunningProcesses::kill_all() noexcept {
  std::vector<pid_t> killed;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const Process& process : processes_) {
      ::kill(-process.pid, SIGKILL);
      killed.push_back(process.pid);
    }
  }
  for (const pid_t pid : killed) await_keeper(pid);
}

}  // namespace mayfly
