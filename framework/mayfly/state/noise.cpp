#include "mayfly/state/noise.h"

#include <iterator>
#include <utility>

#include "mayfly/state/machine_state_data.h"

namespace mayfly {
namespace {

/// Since it was started: as its layers have it, it doesn't count.
bool has_written(const MachineState& machine, const std::string& path) {
  return path.starts_with("/run/") || machine.data().files.written().contains(path);
}

}  // namespace

StateDiff noise(const ControlRun& control, const MachineState& before) {
  StateDiff own = difference(control.at_rest, control.at_end);
  StateDiff ahead = difference(before, control.at_end);
  std::erase_if(ahead.changes, [&](const StateChange& change) {
    return change.resource == ResourceKind::file && change.kind == StateChange::Kind::modified &&
           has_written(before, change.name);
  });
  std::move(ahead.changes.begin(), ahead.changes.end(), std::back_inserter(own.changes));
  return own;
}

}  // namespace mayfly
