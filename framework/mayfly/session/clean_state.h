#pragma once

#include <map>
#include <string>

#include "mayfly/session/container.h"
#include "mayfly/state/machine_state.h"

namespace mayfly {

/// What a container is like while it is clean, to be asked later whether it still is. Sees what MachineState does
/// (files, packages, units, accounts, ports, mounts, sysctls, ...), temporary files and logs too, and processes. What a
/// machine does by itself doesn't count: systemd's journal, services that start when they are asked, and what the
/// profile's `[[idempotence.ignore]]` names. Doesn't see the content of file systems that are mounted elsewhere than on
/// /tmp, /var/tmp, /run and /dev/shm, System V IPC, or counters of the kernel.
class CleanState {
 public:
  /// @throws StoppedError, SystemError
  explicit CleanState(const Container& container);

  /// What is different now, a line each; empty: nothing.
  /// ```
  /// added     file /etc/trace
  /// added     process 12: sleep 1000
  /// ```
  /// @param container the same one; not reset since
  [[nodiscard]] std::string changes(const Container& container) const;

 private:
  MachineState state_;
  std::map<std::string, std::string> others_;
};

}  // namespace mayfly
