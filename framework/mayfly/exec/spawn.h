#pragma once

#include <signal.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "mayfly/exec/accounts.h"
#include "mayfly/exec/target.h"

namespace mayfly {

class CoverageFiles;
class CrashReports;
struct HostProgram;
class SanitizerReports;

// Entering a container: the thin layer of system calls below run() and the functions of files.h.

/// A process to be started in a container, as a value.
struct SpawnPlan {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< "NAME=value"
  std::vector<std::string> candidates;   ///< paths to execute: the first that exists is it (execvp(3))
  /// A program of the host instead, with its argv; see host_program.h
  std::shared_ptr<const HostProgram> host_program{};
  std::shared_ptr<CoverageFiles> coverage{};  ///< where such a program counts what it executes; null: it doesn't
  std::shared_ptr<const SanitizerReports> reports{};  ///< where its sanitizer writes; null: it has none
  std::shared_ptr<CrashReports> crash{};              ///< where it tells how it died; null: nowhere
  Account account{.name = "root", .groups = {0}};
  std::string cwd = "/";
  std::string fallback_cwd{};  ///< when `cwd` can't be entered; empty: that is an error
  std::array<int, 3> stdio{-1, -1, -1};
  /// A detached mount, shown at PrivateTree::kMountPoint in a copy of the container's mount namespace; taken by the
  /// start
  int private_tree = -1;
  bool controlling_terminal = false;  ///< stdio[0] is a terminal, and becomes the new session's
};

/// The paths that execvp(3) would try for `program` with the given PATH.
[[nodiscard]] std::vector<std::string> program_candidates(const std::string& program, std::string_view path);

/// A process in a container whose parent is the caller. Killed and reaped when it goes.
class ContainerProcess {
 public:
  /// Starts the plan's program as a member of `leaf_cgroup` (-1: of the caller's), in all of the container's namespaces
  /// and below its limits, with init's capability bounds and system call filter, in a session of its own, umask 022,
  /// default signal handlers and soft resource limits, and no open file but its stdio. It dies with the calling thread.
  ///
  /// A program that can't be executed is no exception: see exec_error().
  /// @throws Error when the container has stopped, SystemError naming the step that failed
  [[nodiscard]] static ContainerProcess start(const Target& target, const SpawnPlan& plan, int leaf_cgroup);

  /// A child that was made otherwise. @throws SystemError when it can't be watched; then it has been killed
  [[nodiscard]] static ContainerProcess adopt(pid_t child);

  ContainerProcess(ContainerProcess&& other) noexcept;
  ContainerProcess& operator=(ContainerProcess&& other) noexcept;
  ~ContainerProcess();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
  /// Why the program could not be executed (ENOENT, EACCES, ...); 0 when it runs.
  [[nodiscard]] int exec_error() const noexcept { return exec_error_; }

  /// Kills and reaps it; without effect when that has been done.
  void end() noexcept;
  /// Waits for its end and reaps it. @return its status as waitid(2) has it
  [[nodiscard]] siginfo_t wait();

 private:
  ContainerProcess() = default;
  void kill() const noexcept;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  int exec_error_ = 0;
};

/// Calls `work` as the container's root in its namespaces (not its pid namespace), in a child that shares memory and,
/// with `share_files`, descriptors; the rules of vm_child.h hold for it. The calling thread waits.
/// @return what `work` returned: 0 or an errno
/// @throws Error when the container has stopped
int call_in_container(const Target& target, int (*work)(void*), void* argument, bool share_files = false);

/// Calls `work` on the host in such a child, with the caller's descriptors: for what it does to its own namespaces.
/// @return what `work` returned: 0 or an errno
int call_in_child(int (*work)(void*), void* argument);

}  // namespace mayfly
