#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/layer/id_map.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// An overlay mount as a value. Layers' owners on disk are 0-based; with an id map each layer is attached id-mapped, since
/// overlayfs itself can't be (mount_setattr(2): EINVAL).
struct OverlayPlan {
  std::vector<std::filesystem::path> lowers;  ///< topmost first, at least one, at most 500
  std::filesystem::path upper;                ///< existing empty directory; on the same file system as work
  std::filesystem::path work;                 ///< existing empty directory
  std::filesystem::path target;               ///< existing directory to mount on
  std::optional<IdMap> id_map{};
  bool volatile_ = true;  ///< no sync at all: the upper can never be an upper again, and can be a lower
};

/// Mounts the plan in the caller's mount namespace, which must be private: the layers pass through scratch mounts next to
/// `work` (kernel 6.1 refuses detached mounts as layers).
///
/// Where the upper's file system can't be id-mapped (tmpfs before 6.3), upper and work are chowned to the id map's base
/// instead and the result says so: such an upper holds host ids.
///
/// @param id_map_namespace from make_id_map_namespace(); needed when the plan has an id map
/// @throws SystemError with the kernel's own explanation of the failed mount (fsopen(2) log)
struct OverlayMount {
  bool upper_holds_host_ids = false;
};
OverlayMount mount_overlay(const OverlayPlan& plan, const UniqueFd& id_map_namespace);

}  // namespace mayfly
