#pragma once

#include <span>

namespace mayfly {

/// What systemd leaves out of its boot, and why: files of /etc/systemd that are links to /dev/null. What a manifest
/// can see of a machine stays: a unit that is only not begun at boot ("system/x.target.wants/y.service",
/// systemd.unit(5)) can be started as ever, and generators for what a container can't have (systemd.generator(7)) make
/// nothing there.
struct BootOmission {
  const char* why;
  std::span<const char* const> files;  ///< relative to /etc/systemd
};

/// All that is left out unless a profile says `stock = true`. docs/performance.md has what each part saves.
[[nodiscard]] std::span<const BootOmission> lean_boot() noexcept;

}  // namespace mayfly
