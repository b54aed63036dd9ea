#pragma once

#include <map>
#include <optional>

#include "mayfly/state/file_changes.h"
#include "mayfly/state/file_moment.h"
#include "mayfly/state/machine_state.h"
#include "mayfly/state/resources.h"
#include "mayfly/state/run_files.h"

namespace mayfly {

/// What a MachineState remembers. Internal to state/.
struct MachineState::Data {
  FileMoment files;
  OwnerNames owners;
  std::map<ResourceKind, Resources> resources{};  ///< without the kinds that aren't known
  std::optional<RunFiles> run{};
  bool knows_units = false;  ///< not only their files: systemd runs
};

}  // namespace mayfly
