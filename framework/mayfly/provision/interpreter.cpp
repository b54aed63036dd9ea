#include "mayfly/provision/interpreter.h"

namespace mayfly {

std::vector<std::string> interpreter_of(std::string_view script) {
  std::string_view line = script.substr(0, script.find('\n'));
  const std::size_t start = line.starts_with("#!") ? line.find_first_not_of(" \t", 2) : std::string_view::npos;
  if (start == std::string_view::npos) {
    return {"/bin/sh", "-e"};
  }
  line.remove_prefix(start);
  line = line.substr(0, line.find_last_not_of(" \t") + 1);
  const std::size_t end = line.find_first_of(" \t");
  std::vector<std::string> command{std::string(line.substr(0, end))};
  if (end != std::string_view::npos) {
    command.emplace_back(line.substr(line.find_first_not_of(" \t", end)));
  }
  return command;
}

}  // namespace mayfly
