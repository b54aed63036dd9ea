#pragma once

#include <memory>

#include "mayfly/exec/target.h"
#include "mayfly/layer/root_view.h"
#include "mayfly/state/state_diff.h"

namespace mayfly {

/// A machine at one moment: what it has written (types, modes, owners, xattrs, link targets, digests of contents;
/// small texts whole), packages (dpkg), units (systemd), users and groups, listening ports, mounts, sysctls, the
/// environment of services. Read from outside, but for systemd, which is asked what runs.
class MachineState {
 public:
  /// @param view of the same container. It is held: let go of the state before what the container wrote is frozen.
  /// @throws StoppedError, SystemError
  [[nodiscard]] static MachineState capture(const Target& target, std::shared_ptr<const RootView> view);

  /// The machine as its image and layers are: before its first write. Knows what files tell: packages, users, groups,
  /// and which units are enabled, but not what runs. difference() leaves out what only one of the two knows.
  [[nodiscard]] static MachineState pristine(std::shared_ptr<const RootView> view);

  struct Data;
  [[nodiscard]] const Data& data() const noexcept { return *data_; }

 private:
  explicit MachineState(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

/// What happened in between. Asks the containers' views for what neither has written, so those must not be gone yet.
/// Both states are of the same container, or of two clones of the same layers.
/// Equal content, mode, owner and xattrs are no change, whatever the timestamps; a directory that was removed and made
/// again with the same content neither.
[[nodiscard]] StateDiff difference(const MachineState& before, const MachineState& after);

}  // namespace mayfly
