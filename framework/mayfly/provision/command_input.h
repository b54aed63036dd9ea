#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/provision/provision.h"
#include "mayfly/provision/verdict.h"

namespace mayfly {

/// A script that calls mayfly-enter for one container and hands its own arguments on: `$MAYFLY_ENTER ls -l`,
/// `$MAYFLY_ENTER --user deploy -- ls`. What it runs in the container is killed when the step's time is over, since
/// nobody may be left then to do it.
/// @param deadline as the machine's time since boot (/proc/uptime)
[[nodiscard]] std::string enter_script(const std::filesystem::path& enter, pid_t init_pid,
                                       std::chrono::milliseconds deadline);

/// With `changed` codes, these mean "changed" and 0 "nothing changed"; without, 0 may have changed anything.
[[nodiscard]] TaskResult::Status status_of_exit_code(int exit_code, const std::vector<int>& changed);

/// Why a run that writes results failed; nothing when it succeeded.
[[nodiscard]] std::optional<Verdict> json_lines_failure(const std::vector<TaskResult>& tasks, int exit_code,
                                                        const std::vector<int>& changed, std::string_view output);

}  // namespace mayfly
