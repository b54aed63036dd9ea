#pragma once

#include <filesystem>

namespace mayfly {

/// Where a container writes: `upper` and `work` in one directory, as OverlayPlan wants them.
struct WritableLayer {
  std::filesystem::path upper, work;
};

/// Makes `upper` (mode 0755, it becomes the container's root directory) and `work` in an existing directory, and keeps
/// those that are there.
/// @throws SystemError
WritableLayer make_writable_layer(const std::filesystem::path& directory);

/// Turns the writable layer of a container that is gone into a layer: moves its `upper` to `entry` (an existing
/// directory of the same file system, or `directory` itself), removes `work` and a `directory` that isn't the entry,
/// and strips what belongs to one run of a machine: what is in /dev, /proc, /run and /sys, journals, the random seed.
///
/// Afterwards `entry/upper` is fit to be a lower of any number of overlays.
///
/// @throws Error for an upper that holds host ids (OverlayMount::upper_holds_host_ids), SystemError
void freeze(const std::filesystem::path& directory, const std::filesystem::path& entry);

}  // namespace mayfly
