#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "mayfly/support/paths.h"
#include "mayfly/support/units.h"

namespace mayfly::test {

/// All that a session could leave on the host: mounts, control groups, processes and zombies, network interfaces,
/// routes, abstract sockets, liblxc's files, session directories, staging directories.
///
/// Living sessions with another runtime directory are left out, so that tests may run beside other users of Mayfly.
class HostSnapshot {
 public:
  /// Takes some milliseconds.
  static HostSnapshot take(const Paths& paths);

  /// What is here and wasn't in `before`: "process 4711 (mayfly-keeper)", "mount /x (overlay none)", ...
  [[nodiscard]] std::vector<std::string> since(const HostSnapshot& before) const;

 private:
  std::set<std::string> things_;
};

/// What is still there of everything that came after `before`, once it is gone or the time has passed. Zombies of
/// process 1 don't count: they are its to reap.
[[nodiscard]] std::vector<std::string> leftovers(const HostSnapshot& before, const Paths& paths,
                                                 Milliseconds within = Milliseconds(1'000));

}  // namespace mayfly::test
