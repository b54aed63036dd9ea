#include "mayfly/keeper/purge.h"

#include <fmt/format.h>

#include "mayfly/image/key_lock.h"
#include "mayfly/keeper/client.h"
#include "mayfly/keeper/session_directory.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/owned_temp_dir.h"

namespace mayfly {
namespace {

/// A killed process with much memory takes some milliseconds to go; more than this is a process that the kernel can't
/// end.
constexpr Milliseconds kUntilKilled{3'000};

std::vector<std::filesystem::path> session_directories(const Paths& paths) {
  std::vector<std::filesystem::path> directories;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(paths.sessions(), none)) {
    directories.push_back(entry.path());
  }
  return directories;
}

void purge(const Paths& paths, const HostView& host, const std::filesystem::path& directory,
           std::vector<std::string>& removed) {
  const LeaseState lease = take_lease(directory);
  if (lease.alive) {
    return;
  }
  const std::string session = directory.filename().string();
  UndoReport report = undo_session(host, directory, session);
  removed.insert(removed.end(), report.removed.begin(), report.removed.end());
  if (!report.failed.empty()) {
    // The directory stays, so that the next purge tries again.
    for (const std::string& line : report.failed) {
      log(LogLevel::warning, fmt::format("purging dead session '{}': {}", session, line));
    }
    return;
  }
  remove_tree(directory);
  remove_empty_runtime(paths);
  remove_stale_locks(paths.locks());
  removed.push_back(fmt::format("session directory '{}'", directory.string()));
}

}  // namespace

std::string cgroup_name(std::string_view session, std::string_view container) {
  return container.empty() ? fmt::format("mayfly/{}", session) : fmt::format("mayfly/{}/{}", session, container);
}

UndoReport undo_session(const HostView& host, const std::filesystem::path& directory, std::string_view session) {
  UndoReport report;
  const std::string group = cgroup_name(session);
  const bool had_group = std::filesystem::exists(host.cgroups.unified_root() / group);
  host.cgroups.kill(group);
  if (!host.cgroups.remove(group, Deadline::after(kUntilKilled))) {
    report.failed.push_back(fmt::format("control group '{}' still has processes", group));
  } else if (had_group) {
    report.removed.push_back(fmt::format("control group '{}'", group));
  }
  host.cgroups.remove_if_empty("mayfly");
  for (const std::filesystem::path& path : owned_paths(directory)) {
    const std::filesystem::path owned = host.translate != nullptr ? host.translate(path) : path;
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::symlink_status(owned, error))) {
      continue;
    }
    try {
      remove_tree(owned);
      report.removed.push_back(fmt::format("'{}'", owned.string()));
    } catch (const Error& failure) {
      report.failed.emplace_back(failure.what());
    }
  }
  return report;
}

std::vector<std::string> purge_dead_sessions(const Paths& paths, const HostView& host) {
  std::vector<std::string> removed = remove_abandoned_temp_dirs(paths, host.translate);
  for (const std::filesystem::path& directory : session_directories(paths)) {
    try {
      purge(paths, host, directory, removed);
    } catch (const Error& error) {
      // One session that can't be purged mustn't keep the others, or a new session, from going on.
      log(LogLevel::warning, fmt::format("purging dead session '{}': {}", directory.filename().string(), error.what()));
    }
  }
  return removed;
}

std::vector<std::string> purge_dead_sessions(const Paths& paths) {
  if (session_directories(paths).empty()) {
    std::vector<std::string> removed = remove_abandoned_temp_dirs(paths);
    remove_empty_runtime(paths);
    return removed;
  }
  const Cgroups cgroups = Cgroups::of_host();
  return purge_dead_sessions(paths, HostView{cgroups});
}

std::vector<SessionInfo> list_sessions(const Paths& paths) {
  std::vector<SessionInfo> sessions;
  for (const std::filesystem::path& directory : session_directories(paths)) {
    if (directory.filename().native().starts_with('.')) {
      continue;
    }
    SessionInfo info = read_session(directory);
    info.alive = take_lease(directory).alive;
    sessions.push_back(std::move(info));
  }
  return sessions;
}

}  // namespace mayfly
