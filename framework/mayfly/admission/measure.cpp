#include "mayfly/admission/measure.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <thread>

#include "mayfly/container/cgroup.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/lines.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPlenty = std::numeric_limits<std::uint64_t>::max();

/// The number that follows `key` and blanks, wherever that stands.
template <typename Number>
std::optional<Number> number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::string text_of(const fs::path& file) {
  try {
    return read_file_if_exists(file).value_or("");
  } catch (const Error&) {
    return {};  // a file of a controller that is being switched off, or that may not be read
  }
}

std::uint64_t least(std::uint64_t a, std::optional<std::uint64_t> b) { return b ? std::min(a, *b) : a; }

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from > what ? from - what : 0; }

/// "cgroup.controllers" has it, or the mount is of this controller.
bool has(const std::vector<std::string>& controllers, std::string_view controller) {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

/// This process's group in a hierarchy, of /proc/self/cgroup: "4:memory:/x", "0::/x".
std::string group_path(std::string_view text, const CgroupMount& mount) {
  for (const std::string_view line : lines_of(text)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view names = line.substr(first + 1, second - first - 1);
    const bool matches =
        mount.unified ? names.empty()
                      : std::any_of(mount.controllers.begin(), mount.controllers.end(), [&](const std::string& name) {
                          return ("," + std::string(names) + ",").find("," + name + ",") != std::string::npos;
                        });
    if (!matches) continue;
    std::string_view path = line.substr(second + 1);
    // Without a control group namespace the mount shows only a part of the hierarchy.
    if (mount.root != "/" && path.starts_with(mount.root)) path.remove_prefix(mount.root.size());
    return std::string(path);
  }
  return {};
}

}  // namespace

HostMeasure::HostMeasure(fs::path root) : root_(std::move(root)) {
  memory_ = groups_with("memory");
  pids_ = groups_with("pids");
  cpu_ = groups_with("cpu");
}

std::vector<HostMeasure::Group> HostMeasure::groups_with(std::string_view controller) const {
  std::vector<Group> groups;
  const std::string own = text_of(root_ / "proc/self/cgroup");
  for (const CgroupMount& mount : parse_cgroup_mounts(text_of(root_ / "proc/self/mountinfo"))) {
    if (!mount.unified && !has(mount.controllers, controller)) continue;
    const fs::path top = root_ / mount.path.relative_path();
    const fs::path relative = fs::path(group_path(own, mount)).relative_path();
    for (fs::path group = (top / relative).lexically_normal();; group = group.parent_path()) {
      const Group candidate{.directory = group, .unified = mount.unified};
      const bool limited = controller == "memory" ? left_in(candidate) < kPlenty
                           : controller == "pids" ? number_in(group / "pids.max") < kPlenty
                           : mount.unified        ? number_in(group / "cpu.max") < kPlenty
                                                  : number_in(group / "cpu.cfs_quota_us") < kPlenty;
      if (limited) groups.push_back(candidate);
      if (group == top || group.string().size() <= top.string().size()) break;
    }
  }
  return groups;
}

/// "max" and what isn't there are plenty.
std::uint64_t HostMeasure::number_in(const fs::path& file) const {
  return number_after<std::uint64_t>(text_of(file), "").value_or(kPlenty);
}

std::uint64_t HostMeasure::left_in(const Group& group) const {
  const std::uint64_t limit = number_in(group.directory / (group.unified ? "memory.max" : "memory.limit_in_bytes"));
  // Version 1 says "none" by the largest multiple of a page.
  if (limit >= (std::uint64_t{1} << 60U)) return kPlenty;
  const std::uint64_t used = number_in(group.directory / (group.unified ? "memory.current" : "memory.usage_in_bytes"));
  const std::string stat = text_of(group.directory / "memory.stat");
  const std::uint64_t cache =
      number_after<std::uint64_t>(stat, group.unified ? "inactive_file " : "total_inactive_file ").value_or(0);
  return used == kPlenty ? limit : less(limit, less(used, cache));
}

Room HostMeasure::room() const {
  Room room{.memory = {kPlenty}, .pids = kPlenty};
  if (const auto kib = number_after<std::uint64_t>(text_of(root_ / "proc/meminfo"), "MemAvailable:")) {
    room.memory.count = *kib * 1024;
  }
  for (const Group& group : memory_) room.memory.count = std::min(room.memory.count, left_in(group));

  const std::uint64_t most =
      std::min(number_in(root_ / "proc/sys/kernel/pid_max"), number_in(root_ / "proc/sys/kernel/threads-max"));
  // "0.20 0.18 0.12 1/80 11206": the fourth says how many run and how many there are.
  if (const auto tasks = number_after<std::uint64_t>(text_of(root_ / "proc/loadavg"), "/"); tasks && most < kPlenty) {
    room.pids = less(most, *tasks);
  }
  for (const Group& group : pids_) {
    const std::uint64_t used = number_in(group.directory / "pids.current");
    room.pids = least(room.pids, less(number_in(group.directory / "pids.max"), used == kPlenty ? 0 : used));
  }
  // "full avg10=0.00 avg60=..."; a kernel without PSI has no such file.
  room.memory_stall = number_after<double>(text_of(root_ / "proc/pressure/memory"), "full avg10=").value_or(0);
  return room;
}

unsigned HostMeasure::processors() const {
  auto processors = static_cast<double>(std::max(1U, std::thread::hardware_concurrency()));
  for (const Group& group : cpu_) {
    const std::string text = text_of(group.directory / (group.unified ? "cpu.max" : "cpu.cfs_quota_us"));
    const auto quota = number_after<double>(text, "");
    const auto period = group.unified ? number_after<double>(text, " ")
                                      : number_after<double>(text_of(group.directory / "cpu.cfs_period_us"), "");
    if (quota && period && *quota > 0 && *period > 0) processors = std::min(processors, std::ceil(*quota / *period));
  }
  return static_cast<unsigned>(std::max(1.0, processors));
}

}  // namespace mayfly
