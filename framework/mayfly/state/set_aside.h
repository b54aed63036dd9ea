#pragma once

#include <functional>
#include <string>

#include "mayfly/state/state_diff.h"

namespace mayfly {

/// Moves the changes for which `reason_of` has a reason, one that isn't empty, from `changes` to `ignored`.
[[nodiscard]] StateDiff set_aside(StateDiff diff, const std::function<std::string(const StateChange&)>& reason_of);

}  // namespace mayfly
