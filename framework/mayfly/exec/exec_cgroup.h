#pragma once

#include <string>

#include "mayfly/exec/spawn.h"
#include "mayfly/exec/target.h"

namespace mayfly {

/// A command's own cgroup, `.mayfly-<pid>-<n>` beside the container's processes: whatever the command starts stays in
/// it, even what leaves its session, so that a deadline can kill all of it. Removed when it goes and nothing runs in
/// it; with background processes in it, by a later command's, or with the container.
class ExecCgroup {
 public:
  /// An empty one (fd() is -1) where cgroup v2 isn't mounted.
  /// @throws Error when the container has stopped, SystemError
  explicit ExecCgroup(const Target& target);
  ExecCgroup(const ExecCgroup&) = delete;
  ExecCgroup& operator=(const ExecCgroup&) = delete;
  ~ExecCgroup();

  /// O_PATH descriptor of its directory.
  [[nodiscard]] int fd() const noexcept { return directory_.get(); }
  /// Kills every process in it and waits a moment until they are gone; reaps `process`.
  void kill(ContainerProcess& process) const noexcept;
  /// Kills every process in it.
  void kill_all() const noexcept;

 private:
  Target target_;
  std::string name_;
  UniqueFd directory_;
};

}  // namespace mayfly
