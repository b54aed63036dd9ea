#pragma once

#include <string>

#include "mayfly/exec/target.h"

namespace mayfly {

/// The container's processes as a table of text (its own pid, state, command line), read from the host's /proc, so that
/// it works in images without ps(1).
[[nodiscard]] std::string list_processes(const Target& target);

}  // namespace mayfly
