#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "mayfly/provision/path_map.h"
#include "mayfly/provision/provision.h"

namespace mayfly {

/// What our own runners and `command` steps with `result = "json-lines"` leave: a line of JSON for each task,
/// `{"task": "file[/etc/x]", "status": "ok", "where": "web.rb:3", "message": "...", "started": 1795383649.85, "ended":
/// ...}` with `status` one of ok, changed, failed, skipped and times in seconds since the epoch, and in check mode
/// `predicted`, a list of paths. All but `task` and `status` may be missing.
struct TaskLines {
  std::vector<TaskResult> tasks{};
  bool finished = false;  ///< there was a line `{"finished": true}`
};

/// A last line that was cut off is left out: its writer has been killed.
/// @param paths from the tool's paths to the host's
/// @param directory on the host: places below it are shown relative to it
/// @throws Error that names the line
[[nodiscard]] TaskLines parse_task_lines(std::string_view text, const PathMap& paths,
                                         const std::filesystem::path& directory);

}  // namespace mayfly
