#pragma once

#include <cstdint>
#include <string_view>

#include "mayfly/support/units.h"

namespace mayfly {

/// How busy the host is, as far as it matters to who starts what nobody has asked for yet.
struct HostLoad {
  Bytes memory{};                ///< of the whole host
  Bytes available{};             ///< MemAvailable: what can be had without swapping
  double memory_pressure = 0.0;  ///< PSI: percent of the last 10 s in which some task waited for memory
  double cpu_pressure = 0.0;     ///< the same for a processor
  std::uint64_t tasks = 0;       ///< processes and threads
  std::uint64_t most_tasks = 0;
  friend bool operator==(const HostLoad&, const HostLoad&) = default;
};

/// From the texts of /proc/meminfo, /proc/pressure/memory, /proc/pressure/cpu, /proc/loadavg and
/// /proc/sys/kernel/pid_max. What a kernel doesn't tell (pressure may be switched off) is 0, and no reason to hold
/// back.
struct HostLoadTexts {
  std::string_view meminfo, memory_pressure, cpu_pressure, loadavg, pid_max;
};
[[nodiscard]] HostLoad parse_host_load(const HostLoadTexts& texts);

/// Of this host, now. @throws SystemError
[[nodiscard]] HostLoad host_load();

/// What is left for containers that may never be used.
enum class Headroom {
  none,    ///< memory or process numbers run short, or tasks wait for memory: nothing is started ahead
  little,  ///< processors are busy with the tests themselves: one at a time
  enough
};
[[nodiscard]] Headroom headroom(const HostLoad& load);

}  // namespace mayfly
