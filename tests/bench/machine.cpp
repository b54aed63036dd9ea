#include "bench/machine.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <string_view>
#include <thread>

#include "mayfly/support/file_io.h"

namespace mayfly::bench {
namespace {

/// The value of the first line that begins with `key`.
std::string value_in(const std::string& text, std::string_view key, std::string_view separators) {
  std::size_t at = text.starts_with(key) ? 0 : text.find(fmt::format("\n{}", key));
  if (at == std::string::npos) {
    return "unknown";
  }
  at = text.find_first_not_of(separators, at + key.size() + (at == 0 ? 0 : 1));
  return text.substr(at, text.find_first_of("\n\"", at) - at);
}

/// Of the last minute: figures of a busy machine are to be read with care.
std::string load_average() {
  const std::string averages = read_file("/proc/loadavg");
  return averages.substr(0, averages.find(' '));
}

}  // namespace

std::string describe_machine() {
  struct utsname kernel {};
  struct sysinfo system {};
  (void)::uname(&kernel);
  (void)::sysinfo(&system);
  constexpr double kGibibyte = 1024.0 * 1024 * 1024;
  return fmt::format("{} x {}, {:.0f} GiB memory, Linux {}, {}, {} build, load {}", std::thread::hardware_concurrency(),
                     value_in(read_file("/proc/cpuinfo"), "model name", "\t :"),
                     static_cast<double>(system.totalram) * system.mem_unit / kGibibyte, kernel.release,
                     value_in(read_file_if_exists("/etc/os-release").value_or(""), "PRETTY_NAME=", "\""),
#ifdef NDEBUG
                     "release",
#else
                     "debug",
#endif
                     load_average());
}

}  // namespace mayfly::bench
