#pragma once

#include <functional>
#include <string_view>

namespace mayfly {

enum class LogLevel { debug, info, warning, error };

/// Writes one line to standard error: `mayfly: warning: ...`, or for `info` just `mayfly: ...`. Thread-safe; one
/// write(2) a line. Shown from level `info` up; `MAYFLY_LOG=debug|info|warning|error` chooses.
void log(LogLevel level, std::string_view message);

/// Receives one line of progress of something that takes longer than a second: "debian bookworm: unpacking (12s)".
using Progress = std::function<void(std::string_view line)>;

/// A Progress that logs at level info.
[[nodiscard]] Progress log_progress();

}  // namespace mayfly
