#include "mayfly/admission/room.h"

#include <fmt/format.h>

#include <algorithm>

namespace mayfly {
namespace {

constexpr std::uint64_t kMiB = 1024UL * 1024;

// What booting containers were seen to take, rounded up: Mayfly's own init 1 MiB and its monitor, a quiet systemd 20
// MiB and page cache, a manifest with apt or an interpreter 150 MiB.
constexpr std::uint64_t kSmall = 16 * kMiB;
constexpr std::uint64_t kSystemd = 64 * kMiB;
constexpr std::uint64_t kConverge = 256 * kMiB;
constexpr std::uint64_t kFewPids = 16;
constexpr std::uint64_t kSystemdPids = 64;

/// Stays free: the host has to go on.
constexpr std::uint64_t kReserve = 64 * kMiB;
constexpr std::uint64_t kPidReserve = 128;

/// Above this share a host makes no progress worth the name, and another container makes it worse.
constexpr double kMostStall = 20.0;

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from > what ? from - what : 0; }

std::string whole_mib(std::uint64_t bytes) { return fmt::format("{}MiB", bytes / kMiB); }

}  // namespace

StartDemand demand_of(const Limits& limits, bool systemd, bool converges) {
  StartDemand demand{.memory = {converges ? kConverge
                                : systemd ? kSystemd
                                          : kSmall},
                     .pids = systemd || converges ? kSystemdPids : kFewPids};
  if (limits.memory) demand.memory.count = std::clamp(limits.memory->count, std::uint64_t{1}, kConverge);
  if (limits.pids) demand.pids = std::min(demand.pids, *limits.pids);
  return demand;
}

std::string lacking(const Room& room, const StartDemand& wanted, const StartDemand& promised) {
  if (const std::uint64_t available = less(room.memory.count, kReserve + promised.memory.count);
      wanted.memory.count > available) {
    std::string text =
        fmt::format("memory: {} wanted, {} available", whole_mib(wanted.memory.count), whole_mib(available));
    if (promised.memory.count > 0) text += fmt::format(" ({} promised to others)", whole_mib(promised.memory.count));
    return text;
  }
  if (const std::uint64_t available = less(room.pids, kPidReserve + promised.pids); wanted.pids > available) {
    return fmt::format("processes: {} wanted, {} available", wanted.pids, available);
  }
  if (room.memory_stall > kMostStall) {
    return fmt::format("memory: the host stood still for want of it in {:.0f}% of the last 10s", room.memory_stall);
  }
  return {};
}

}  // namespace mayfly
