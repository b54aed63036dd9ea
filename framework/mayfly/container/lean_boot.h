#pragma once

#include <span>

namespace mayfly {

/// A file that makes systemd leave something out of its boot.
struct BootFile {
  const char* path;               ///< relative to /etc
  const char* content = nullptr;  ///< none: a link to /dev/null
};

/// What systemd leaves out of its boot, and why. What a manifest can see of a machine stays: a unit that is only not
/// begun at boot ("systemd/system/x.target.wants/y.service", systemd.unit(5)) can be started as ever, and generators
/// for what a container can't have (systemd.generator(7)) make nothing there.
struct BootOmission {
  const char* why;
  std::span<const BootFile> files;
};

/// All that is left out unless a profile says `stock = true`. docs/performance.md has what each part saves.
[[nodiscard]] std::span<const BootOmission> lean_boot() noexcept;

}  // namespace mayfly
