#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/layer/overlay.h"

namespace mayfly {

// The part of mount_overlay() that needs no kernel; for overlay.cpp and its tests.

/// @throws Error for a plan that can't be mounted: `overlay on '/run/x': no lower layer`
void check_overlay_plan(const OverlayPlan& plan);

/// For each path whether another one lies beneath it. Canonical paths; equal paths count as beneath each other once:
/// the first is it.
[[nodiscard]] std::vector<bool> covers_another(const std::vector<std::filesystem::path>& paths);

struct OverlayOption {
  const char* key = "";
  std::optional<std::string> value{};  ///< nothing: a flag
};

/// Everything but the layers. All of them are known to kernels from 5.10 on.
[[nodiscard]] std::vector<OverlayOption> overlay_options(const OverlayPlan& plan);

/// The same for an overlay without an upper.
[[nodiscard]] std::vector<OverlayOption> read_only_overlay_options();

/// `0:1:2`: the scratch mounts' names, topmost first; relative, so that 500 of them fit the page that mount(2) takes.
[[nodiscard]] std::string numbered_lowers(std::size_t count);

/// The options as mount(2) takes them: `lowerdir=0:1,upperdir=...,workdir=...,redirect_dir=nofollow,...,volatile`.
[[nodiscard]] std::string overlay_mount_data(const std::vector<OverlayOption>& options);

/// The lines of an fsopen(2) log, or of the kernel's, that name a cause, joined by "; ".
/// "e overlay: Unknown parameter 'x'\n" -> "overlay: Unknown parameter 'x'"
[[nodiscard]] std::string causes_in_fs_log(std::string_view log);
/// "4,1215,5140900,-;overlayfs: upper fs is r/o, try multi-lower layers mount\n" -> "overlayfs: upper fs ..."
[[nodiscard]] std::string causes_in_kernel_log(std::string_view records);

}  // namespace mayfly
