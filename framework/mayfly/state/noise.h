#pragma once

#include "mayfly/state/machine_state.h"

namespace mayfly {

/// A machine in which nothing is converged, at two moments.
struct ControlRun {
  MachineState at_rest;  ///< ready
  MachineState at_end;   ///< when the other machine's converge had ended
};

/// What machines of the same layers do by themselves: what changed in the control run, and what had come to it before
/// it was at rest while the other, which may have booted slower, was not there yet. A file that both had written by
/// then with different content differs between machines; it is none of it.
/// @param before the other machine's state, ready, at the latest when its converge began
[[nodiscard]] StateDiff noise(const ControlRun& control, const MachineState& before);

}  // namespace mayfly
