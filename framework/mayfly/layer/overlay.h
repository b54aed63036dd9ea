#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/layer/id_map.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// An overlay mount as a value. Layers' owners on disk are 0-based; with an id map each layer is attached id-mapped,
/// since overlayfs itself can't be (mount_setattr(2): EINVAL).
struct OverlayPlan {
  std::vector<std::filesystem::path> lowers;  ///< topmost first, at least one, at most 500
  /// Above `lowers`, topmost first: layers whose owners on disk are host ids already, so never id-mapped. For what is
  /// made for one container on a tmpfs, which kernels before 6.3 can't id-map.
  std::vector<std::filesystem::path> host_id_lowers{};
  /// Existing empty directory; its mode is the merged root's. Empty, as is `work`: a read-only overlay, which wants two
  /// lowers at least.
  std::filesystem::path upper;
  std::filesystem::path work;    ///< existing empty directory beside the upper
  std::filesystem::path target;  ///< existing directory to mount on
  std::optional<IdMap> id_map{};
  bool volatile_ = true;  ///< no sync at all: the upper can never be an upper again, and can be a lower

  // How it is mounted; the kernel decides where these are false.
  bool shift_upper = false;     ///< don't id-map the upper even where that works
  bool scratch_mounts = false;  ///< attach the layers before mounting even where descriptors of them would do
};

struct OverlayMount {
  /// The upper's file system can't be id-mapped (tmpfs before 6.3), so upper and work were chowned to the id map's
  /// base: such an upper holds host ids and is no layer.
  bool upper_holds_host_ids = false;
};

/// Mounts the plan in the caller's mount namespace, which must be private: on kernels before 6.15 the layers pass
/// through scratch mounts beside `work` (read-only: beside `target`), with the process's working directory moved there
/// for a moment. For single-threaded processes. After a failure nothing is mounted.
///
/// A lower that lies beneath another one on the same file system (a store beneath "/", with "/" as a layer) is refused
/// by overlayfs (ELOOP), so the outer of the two gets a read-only overlay of its own first.
///
/// Renames of lower directories give EXDEV (mv copies then), so that an upper never refers to its lowers by name.
///
/// @param id_map_namespace from make_id_map_namespace(); needed when the plan has an id map
/// @throws SystemError with the kernel's own explanation where it gives one (fsopen(2) log, kernel log):
/// `mount overlay on '/run/x' (overlay: workdir and upperdir must be separate subtrees): Invalid argument`
/// @throws Error when the plan makes no sense or the kernel mounts it read-only
OverlayMount mount_overlay(const OverlayPlan& plan, const UniqueFd& id_map_namespace);

}  // namespace mayfly
