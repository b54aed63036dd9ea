#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "mayfly/support/file_io.h"

namespace mayfly::test {

/// A line with `text` when some process of the host has it on its command line now, else nothing. Only that: others'
/// command lines are none of a test's output.
inline std::string seen_on_command_lines(std::string_view text) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::error_code code;
    if (std::filesystem::exists(entry.path() / "cmdline", code) &&
        read_file_if_exists(entry.path() / "cmdline").value_or("").find(text) != std::string::npos) {
      return std::string(text) + " on a command line\n";
    }
  }
  return {};
}

}  // namespace mayfly::test
