#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/support/paths.h"
#include "mayfly/support/unique_fd.h"
#include "mayfly/testrun/outcome.h"

namespace mayfly {

/// Test processes that run side by side. One thread starts and waits; any may kill. They die with that thread's
/// process.
///
/// A process's standard output and error are one file, not a pipe: nothing has to be read for it to go on, what it
/// leaves running in the background is waited for by nobody, and the order of the two streams stays.
class RunningProcesses {
 public:
  struct Start {
    std::vector<std::string> argv;
    std::map<std::string, std::string> env{};  ///< added to the inherited environment
    std::filesystem::path output;              ///< is created
    std::optional<Milliseconds> timeout{};     ///< then SIGKILL for its process group
  };
  struct Ended {
    std::size_t id = 0;
    ProcessEnd end{};
  };

  /// @param paths where the sessions of Mayfly are that such a process may leave to its keeper
  explicit RunningProcesses(Paths paths) : paths_(std::move(paths)) {}
  RunningProcesses(const RunningProcesses&) = delete;
  RunningProcesses& operator=(const RunningProcesses&) = delete;
  /// Kills what runs.
  ~RunningProcesses();

  /// @param id for wait()
  /// @return false after kill_all(): nothing was started
  /// @throws SystemError when it can't be started
  bool start(std::size_t id, const Start& start);

  /// Waits until one has ended, at most `within`. Of one that was killed, its containers are gone by then.
  [[nodiscard]] std::vector<Ended> wait(Milliseconds within);

  [[nodiscard]] std::size_t count() const;

  /// Ends all of them and lets none start any more; returns when their containers are gone. Any thread.
  void kill_all() noexcept;

 private:
  struct Process {
    std::size_t id = 0;
    pid_t pid = -1;
    UniqueFd pidfd;
    std::chrono::steady_clock::time_point started{};
    std::optional<Milliseconds> timeout{};
    bool timed_out = false;
  };
  void kill_overdue();
  [[nodiscard]] Ended reap(Process& process) const;
  void await_keeper(pid_t owner) const noexcept;

  Paths paths_;
  mutable std::mutex mutex_;  ///< a number is signalled only while its process hasn't been reaped
  std::vector<Process> processes_;
  bool closed_ = false;
};

}  // namespace mayfly
