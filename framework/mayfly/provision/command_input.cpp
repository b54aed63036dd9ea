#include "mayfly/provision/command_input.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/provision/text.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {

std::string enter_script(const std::filesystem::path& enter, pid_t init_pid, std::chrono::milliseconds deadline) {
  // /proc/uptime has hundredths, rounded down: one more, so that it isn't over before the deadline has passed.
  constexpr int kMillisecondsOfUnit = 10;
  return fmt::format(
      "#!/bin/sh\n"
      "read -r up idle < /proc/uptime\n"
      "left=$(( {} - ${{up%.*}}${{up#*.}} ))\n"
      "[ \"$left\" -gt 0 ] || left=1\n"
      "exec {} --init {} --timeout \"${{left}}0ms\" \"$@\"\n",
      deadline.count() / kMillisecondsOfUnit + 1, shell_quote({enter.string()}), init_pid);
}

TaskResult::Status status_of_exit_code(int exit_code, const std::vector<int>& changed) {
  if (exit_code == 0) {
    return changed.empty() ? TaskResult::Status::changed : TaskResult::Status::ok;
  }
  return std::find(changed.begin(), changed.end(), exit_code) != changed.end() ? TaskResult::Status::changed
                                                                               : TaskResult::Status::failed;
}

std::optional<Verdict> json_lines_failure(const std::vector<TaskResult>& tasks, int exit_code,
                                          const std::vector<int>& changed, std::string_view output) {
  if (auto verdict = first_failure("task", tasks)) {
    return verdict;
  }
  if (status_of_exit_code(exit_code, changed) == TaskResult::Status::failed) {
    const std::string reason = tail(trimmed(output), 3);
    return Verdict{.message = reason.empty() ? fmt::format("exit code {}", exit_code)
                                             : fmt::format("exit code {}: {}", exit_code, reason)};
  }
  if (tasks.empty()) {
    return Verdict{.message = "it left no results",
                   .hint = "with result = \"json-lines\" it writes a line for each task to the file $MAYFLY_RESULTS"};
  }
  return std::nullopt;
}

}  // namespace mayfly
