#include "mayfly/pool/host_load.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// The number that follows `label`, blanks aside; 0 when there is none.
template <typename Number>
Number number_after(std::string_view text, std::string_view label) {
  Number number{};
  const std::size_t at = text.find(label);
  if (at != std::string_view::npos) {
    const std::size_t begin = std::min(text.find_first_not_of(' ', at + label.size()), text.size());
    std::from_chars(text.data() + begin, text.data() + text.size(), number);
  }
  return number;
}

constexpr std::uint64_t kKibi = 1'024;
/// Less than this, or than a tenth of all memory, is the tests' own.
constexpr Bytes kReserve{256 * kKibi * kKibi};
constexpr double kMemoryPressure = 10.0;
constexpr double kCpuPressure = 75.0;

}  // namespace

HostLoad parse_host_load(const HostLoadTexts& texts) {
  return {.memory = {number_after<std::uint64_t>(texts.meminfo, "MemTotal:") * kKibi},
          .available = {number_after<std::uint64_t>(texts.meminfo, "MemAvailable:") * kKibi},
          .memory_pressure = number_after<double>(texts.memory_pressure, "some avg10="),
          .cpu_pressure = number_after<double>(texts.cpu_pressure, "some avg10="),
          // "0.20 0.18 0.12 1/80 11206": running and all tasks stand around the slash.
          .tasks = number_after<std::uint64_t>(texts.loadavg, "/"),
          .most_tasks = number_after<std::uint64_t>(texts.pid_max, "")};
}

HostLoad host_load() {
  const auto text = [](const char* file) {
    try {
      return read_file_if_exists(file).value_or("");
    } catch (const SystemError&) {
      return std::string();  // pressure files exist and fail where psi=0
    }
  };
  const std::string meminfo = text("/proc/meminfo");
  const std::string memory = text("/proc/pressure/memory");
  const std::string cpu = text("/proc/pressure/cpu");
  const std::string loadavg = text("/proc/loadavg");
  const std::string pid_max = text("/proc/sys/kernel/pid_max");
  return parse_host_load({meminfo, memory, cpu, loadavg, pid_max});
}

Headroom headroom(const HostLoad& load) {
  const bool memory_short = load.memory.count > 0 && load.available < std::max(kReserve, Bytes{load.memory.count / 10});
  const bool tasks_short = load.most_tasks > 0 && load.tasks > load.most_tasks / 5 * 4;
  if (memory_short || tasks_short || load.memory_pressure >= kMemoryPressure) {
    return Headroom::none;
  }
  return load.cpu_pressure >= kCpuPressure ? Headroom::little : Headroom::enough;
}

}  // namespace mayfly
