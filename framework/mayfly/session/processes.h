#pragma once

#include <map>
#include <string>

#include "mayfly/exec/target.h"

namespace mayfly {

struct RunningProcess {
  std::string state;    ///< as /proc has it: "S", "R", "Z"
  std::string command;  ///< its arguments, or its name in brackets
};

/// The container's processes by their own pid, read from the host's /proc, so that it works in images without ps(1).
[[nodiscard]] std::map<long, RunningProcess> processes_of(const Target& target);

/// The same as a table of text.
[[nodiscard]] std::string list_processes(const Target& target);

}  // namespace mayfly
