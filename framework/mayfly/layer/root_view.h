#pragma once

#include "mayfly/layer/id_map.h"
#include "mayfly/support/unique_fd.h"

#include <optional>

namespace mayfly {

/// A container's root file system as three directories, without what the container has mounted on it. All O_PATH.
struct RootView {
  UniqueFd merged;  ///< what the container sees
  UniqueFd lower;   ///< what it saw before its first write: all lowers merged, read-only
  /// What it has written: tells where to look, as everything that differs between the two others has an entry here. Its
  /// owners may be stored differently from the others'.
  UniqueFd upper;
  std::optional<IdMap> id_map{};  ///< `merged` and `lower` show owners so shifted; none for a privileged container
};

}  // namespace mayfly
