#pragma once

#include <cstdint>
#include <string>

#include "mayfly/profile/profile.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// What a host has left, as it was measured.
struct Room {
  Bytes memory{};           ///< that can be had without swapping, within this process's own control group
  std::uint64_t pids = 0;   ///< processes and threads
  double memory_stall = 0;  ///< per cent of the last 10 s in which everything waited for memory (PSI "full")
};

/// What the start of a container takes of it.
struct StartDemand {
  Bytes memory{};
  std::uint64_t pids = 0;
  friend bool operator==(const StartDemand&, const StartDemand&) = default;
  StartDemand& operator+=(const StartDemand& other) {
    memory.count += other.memory.count;
    pids += other.pids;
    return *this;
  }
};

/// An estimate: what limits allow, but no more than containers of that kind are seen to take while they boot (a limit
/// is a fence, and few come near it), and without limits a little.
/// @param converges a manifest runs in it
[[nodiscard]] StartDemand demand_of(const Limits& limits, bool systemd, bool converges);

/// Why it doesn't fit, empty when it does: "memory: 256MiB wanted, 100MiB available (150MiB promised to others)".
/// @param promised what others have been admitted with and don't use yet
[[nodiscard]] std::string lacking(const Room& room, const StartDemand& wanted, const StartDemand& promised);

}  // namespace mayfly
