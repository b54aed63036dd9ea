#include "mayfly/state/set_aside.h"

#include <utility>

namespace mayfly {

StateDiff set_aside(StateDiff diff, const std::function<std::string(const StateChange&)>& reason_of) {
  std::vector<StateChange> kept;
  for (StateChange& change : diff.changes) {
    if (std::string reason = reason_of(change); !reason.empty()) {
      diff.ignored.push_back({std::move(change), std::move(reason)});
    } else {
      kept.push_back(std::move(change));
    }
  }
  diff.changes = std::move(kept);
  return diff;
}

}  // namespace mayfly
