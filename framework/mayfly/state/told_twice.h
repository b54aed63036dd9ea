#pragma once

#include "mayfly/state/state_diff.h"

namespace mayfly {

/// Moves to `ignored` what the files of a database say once more: of dpkg's where packages have changed, of passwd(5)
/// and its family where users or groups have. Only their contents: another mode or owner of such a file counts.
[[nodiscard]] StateDiff without_told_twice(StateDiff diff);

}  // namespace mayfly
