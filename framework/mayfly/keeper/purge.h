#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/container/cgroup.h"
#include "mayfly/support/paths.h"

namespace mayfly {

/// `mayfly/<session>`, or `mayfly/<session>/<container>`.
[[nodiscard]] std::string cgroup_name(std::string_view session, std::string_view container = {});

/// What undoing gave: lines for people.
struct UndoReport {
  std::vector<std::string> removed;
  std::vector<std::string> failed;
};

/// The host as the caller sees it.
struct HostView {
  const Cgroups& cgroups;
  /// Where a path of the host is here; empty: where it is there. A keeper sees /run elsewhere.
  std::filesystem::path (*translate)(const std::filesystem::path&) = nullptr;
};

/// Kills what is left of a session and removes its cgroups and owned paths; its directory stays.
[[nodiscard]] UndoReport undo_session(const HostView& host, const std::filesystem::path& directory,
                                      std::string_view session);

/// purge_dead_sessions() for a caller that sees the host in its own way. Failures are logged.
std::vector<std::string> purge_dead_sessions(const Paths& paths, const HostView& host);

}  // namespace mayfly
