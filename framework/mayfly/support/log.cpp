#include "mayfly/support/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};

LogLevel threshold() {
  // Read each time: a line of log costs a system call anyway, and nothing global has to be kept in step.
  if (const char* wanted = std::getenv("MAYFLY_LOG")) {
    for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
      if (kLevelNames[i] == wanted) {
        return static_cast<LogLevel>(i);
      }
    }
  }
  return LogLevel::info;
}

}  // namespace

void log(LogLevel level, std::string_view message) {
  if (level < threshold()) {
    return;
  }
  const std::string line = level == LogLevel::info
                               ? fmt::format("mayfly: {}\n", message)
                               : fmt::format("mayfly: {}: {}\n", kLevelNames[static_cast<std::size_t>(level)], message);
  try {
    write_all(STDERR_FILENO, line, "standard error");
  } catch (const Error&) {
    // Nowhere left to say so.
  }
}

Progress log_progress() {
  return [](std::string_view line) { log(LogLevel::info, line); };
}

}  // namespace mayfly
