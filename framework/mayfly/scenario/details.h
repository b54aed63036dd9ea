#pragma once

#include <string>

#include "mayfly/provision/provision.h"
#include "mayfly/state/state_diff.h"

namespace mayfly {

/// "8 ok, 0 changed", and what failed or was skipped.
[[nodiscard]] std::string describe(const ConvergeResult& result);

/// "57 files, 1 package, 2 units changed"; "nothing changed" for an empty difference.
[[nodiscard]] std::string describe(const StateDiff& diff);

}  // namespace mayfly
