#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "mayfly/exec/proc_text.h"
#include "mayfly/exec/target.h"

namespace mayfly {

/// What Target knows; for the sources of exec/ only.
struct Target::State {
  pid_t init_pid = -1;
  UniqueFd pidfd;
  UniqueFd root;
  int namespaces = 0;  ///< CLONE_NEW* of those that differ from ours: entering one's own user namespace is an error
  IdTranslation users, groups;
  std::uint64_t capabilities =
      0;  ///< init's bounding set: entering a user namespace gives all, so it has to be cut again
  bool no_new_privileges = false;

  UniqueFd cgroup;                   ///< its cgroup v2 directory; none when that isn't mounted here
  std::vector<UniqueFd> cgroups_v1;  ///< cgroup.procs of its own groups in v1 hierarchies: there for limits

  mutable std::atomic<unsigned> next_leaf{0};
  mutable std::mutex mutex;
  mutable std::vector<std::string> busy_leaves;  ///< of earlier commands, with background processes in them

  /// Waits a moment for init's death: entering a container that is being killed fails a little before its init is gone.
  [[nodiscard]] bool dies_within(int milliseconds) const;
};

/// @throws StoppedError "container has stopped"
[[noreturn]] void throw_stopped();

}  // namespace mayfly
