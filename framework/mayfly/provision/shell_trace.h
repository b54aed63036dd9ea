#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/provision/provision.h"

namespace mayfly {

// bash tells which lines of a script ran, and when, to a descriptor of its own (BASH_XTRACEFD), so that the script's
// output stays as it is. Other shells would write among it.

/// Whether the interpreter of a script (interpreter_of()) is bash.
[[nodiscard]] bool is_bash(const std::vector<std::string>& interpreter);

/// A file for BASH_ENV: turns the trace to `trace` on.
[[nodiscard]] std::string shell_trace_setup(const std::string& trace);

/// The same for a run without the commands of one line: bash leaves out what a DEBUG trap says no to (extdebug).
[[nodiscard]] std::string shell_without_setup(int line);

/// What a trace tells, in the order of the run; a line that runs again follows again. A line's status is `ok` when it
/// is known to have changed nothing (shell_effects.h), else `changed`: it may have. Its message is its commands with
/// their values, to find in them what was changed: they may hold secrets and aren't to be shown or kept.
/// @param script the path by which bash knows the script
/// @param content of the script: what a line is called is its text there, without values
/// @param name "setup.sh"
/// @param ended when the script ended
/// @return nothing for a script that turns its trace off, and for one with too many commands to keep
[[nodiscard]] std::vector<TaskResult> parse_shell_trace(std::string_view trace, std::string_view script,
                                                        std::string_view content, const std::string& name,
                                                        std::chrono::system_clock::time_point ended);

/// The commands of a script, each by its first line: "useradd app" (setup.sh:12). A command may have several lines: a
/// here-document, a quoted text, a `\` at a line's end, an operator there. Lines of syntax alone (`else`, `fi`, `}`)
/// are none.
struct ShellCommand {
  int first = 0, last = 0;  ///< lines, from 1
  std::string text{};       ///< of the first
};
[[nodiscard]] std::vector<ShellCommand> shell_commands(std::string_view script);

}  // namespace mayfly
