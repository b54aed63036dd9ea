#include "mayfly/container/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <sstream>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr std::uint64_t kCpuPeriod = 100'000;  // microseconds; the kernel's own default

/// Writes in one write(2), as cgroup files want it. @return 0 or errno
int write_at(int directory, const std::string& name, std::string_view value) {
  const UniqueFd fd(openat(directory, name.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
    return errno;
  }
  return 0;
}

void must_write_at(int directory, const std::string& name, std::string_view value) {
  if (const int error = write_at(directory, name, value); error != 0) {
    throw SystemError(fmt::format("write '{}' to control group file '{}'", value, name), error);
  }
}

std::string read_at(int directory, const std::string& name) {
  const UniqueFd fd(openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC));
  return fd ? read_all(fd.get(), name) : std::string();
}

void make_directories_at(int directory, std::string_view name) {
  // Another session may remove the empty parent between two steps, so the whole way is tried again.
  for (int attempt = 0;; ++attempt) {
    int error = 0;
    for (std::size_t end = name.find('/');; end = name.find('/', end + 1)) {
      const std::string part(name.substr(0, end));
      error = mkdirat(directory, part.c_str(), 0755) == 0 || errno == EEXIST ? 0 : errno;
      if (error != 0 || end == std::string_view::npos) {
        break;
      }
    }
    if (error == 0) {
      return;
    }
    if (error != ENOENT || attempt == 100) {
      throw SystemError(fmt::format("make control group '{}'", name), error);
    }
  }
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

/// Also names that begin with a dot: liblxc's attach and Mayfly's exec make such.
bool remove_tree_at(int parent, const std::string& name) {
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return true;
  }
  const int fd = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return errno == ENOENT;
  }
  const std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(fd));
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view child = entry->d_name;
    if (entry->d_type == DT_DIR && child != "." && child != "..") {
      remove_tree_at(fd, entry->d_name);
    }
  }
  return unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT;
}

/// The value of `key` in a file of "key value" lines.
std::uint64_t flat_keyed(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ') {
      std::uint64_t value = 0;
      std::from_chars(line.data() + key.size() + 1, line.data() + line.size(), value);
      return value;
    }
  }
  return 0;
}

/// Whether the directory is on the kind of file system that the mount is of.
bool shows(int directory, const CgroupMount& mount) {
  struct statfs found {};
  return fstatfs(directory, &found) == 0 && found.f_type == (mount.unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> all;
  for (std::string word; in >> word;) {
    all.push_back(word);
  }
  return all;
}

}  // namespace

bool Cgroups::knows(const CgroupMount& mount) const {
  return mount.unified ? static_cast<bool>(unified_.directory)
                       : std::any_of(legacy_.begin(), legacy_.end(), [&](const Hierarchy& hierarchy) {
                           return hierarchy.controllers == mount.controllers;
                         });
}

bool Cgroups::Hierarchy::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

Cgroups Cgroups::of_host() {
  Cgroups all;
  const std::string process_1 = read_file("/proc/1/cgroup");
  for (const CgroupMount& mount : parse_cgroup_mounts(read_file("/proc/self/mountinfo"))) {
    std::filesystem::path path = mount.path;
    if (mount.unified) {
      const std::filesystem::path base = mount.path / unified_base(mount, process_1);
      std::error_code missing;
      path = std::filesystem::is_directory(base, missing) ? base : mount.path;
    }
    UniqueFd directory(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory || !shows(directory.get(), mount) || all.knows(mount)) {
      continue;  // covered by another mount, or another mount of the same
    }
    Hierarchy hierarchy{.path = path, .controllers = mount.controllers, .directory = std::move(directory)};
    if (mount.unified) {
      hierarchy.controllers = words(read_at(hierarchy.directory.get(), "cgroup.controllers"));
      all.unified_ = std::move(hierarchy);
      all.unified_mount_ = open_file(mount.path, O_PATH | O_DIRECTORY);
    } else {
      all.legacy_.push_back(std::move(hierarchy));
    }
  }
  if (!all.unified_.directory) {
    PrivilegeError error("no cgroup2 file system is mounted, and containers can't be killed reliably without one");
    error.set_hint("mount one, for example: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified");
    throw error;
  }
  if (access(all.unified_.path.c_str(), W_OK) != 0) {
    const int code = errno;
    PrivilegeError error(
        fmt::format("cgroup2 directory '{}' can't be written: {}", all.unified_.path.string(), std::strerror(code)));
    error.set_hint("inside a container, run that one privileged and with a cgroup2 of its own, mounted read-write");
    throw error;
  }
  return all;
}

UniqueFd Cgroups::clone_unified_mount() const {
  UniqueFd mount(static_cast<int>(
      syscall(SYS_open_tree, unified_mount_.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!mount) {
    throw SystemError(fmt::format("copy the mount of '{}'", unified_.path.string()));
  }
  return mount;
}

UniqueFd Cgroups::create(std::string_view name) const {
  make_directories_at(unified_.directory.get(), name);
  UniqueFd directory(openat(unified_.directory.get(), std::string(name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    throw SystemError(fmt::format("open control group '{}'", name));
  }
  return directory;
}

const Cgroups::Hierarchy& Cgroups::with_controller(std::string_view controller, std::string_view limit) const {
  for (const Hierarchy& hierarchy : legacy_) {
    if (hierarchy.has(controller)) {
      return hierarchy;
    }
  }
  if (unified_.has(controller)) {
    return unified_;
  }
  throw Error(
      fmt::format("limits.{} can't be kept: this host has no '{}' control group controller", limit, controller));
}

void Cgroups::delegate(std::string_view name, std::string_view controller) const {
  for (std::size_t end = 0; end != std::string_view::npos; end = name.find('/', end + 1)) {
    const std::string parent(name.substr(0, end));
    const std::string file = parent.empty() ? "cgroup.subtree_control" : parent + "/cgroup.subtree_control";
    must_write_at(unified_.directory.get(), file, fmt::format("+{}", controller));
  }
}

std::vector<UniqueFd> Cgroups::limit(const std::string& name, const Limits& limits) const {
  std::vector<UniqueFd> to_join;
  const auto prepare = [&](std::string_view controller, std::string_view limit) -> const Hierarchy& {
    const Hierarchy& hierarchy = with_controller(controller, limit);
    make_directories_at(hierarchy.directory.get(), name);
    if (&hierarchy == &unified_) {
      delegate(name, controller);
    } else {
      to_join.emplace_back(openat(hierarchy.directory.get(), (name + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    }
    return hierarchy;
  };
  if (limits.memory) {
    const Hierarchy& memory = prepare("memory", "memory");
    const int at = memory.directory.get();
    const std::string bytes = std::to_string(limits.memory->count);
    const bool unified = &memory == &unified_;
    must_write_at(at, name + (unified ? "/memory.max" : "/memory.limit_in_bytes"), bytes);
    // Without this the limit would only push pages to swap. Absent where the kernel has no swap accounting.
    (void)write_at(at, name + (unified ? "/memory.swap.max" : "/memory.memsw.limit_in_bytes"), unified ? "0" : bytes);
  }
  if (limits.pids) {
    const Hierarchy& pids = prepare("pids", "pids");
    // The monitor stays in a cgroup2 container's group and must not count.
    const std::uint64_t others = &pids == &unified_ ? 1 : 0;
    must_write_at(pids.directory.get(), name + "/pids.max", std::to_string(*limits.pids + others));
  }
  if (limits.cpus) {
    const Hierarchy& cpu = prepare("cpu", "cpus");
    const auto quota = std::max<std::uint64_t>(
        1'000, static_cast<std::uint64_t>(std::llround(*limits.cpus * static_cast<double>(kCpuPeriod))));
    if (&cpu == &unified_) {
      must_write_at(cpu.directory.get(), name + "/cpu.max", fmt::format("{} {}", quota, kCpuPeriod));
    } else {
      must_write_at(cpu.directory.get(), name + "/cpu.cfs_period_us", std::to_string(kCpuPeriod));
      must_write_at(cpu.directory.get(), name + "/cpu.cfs_quota_us", std::to_string(quota));
    }
  }
  return to_join;
}

void Cgroups::move_legacy(pid_t pid, std::string_view name) const {
  for (const Hierarchy& hierarchy : legacy_) {
    (void)write_at(hierarchy.directory.get(), fmt::format("{}/cgroup.procs", name), std::to_string(pid));
  }
}

void Cgroups::kill(std::string_view name) const {
  (void)write_at(unified_.directory.get(), fmt::format("{}/cgroup.kill", name), "1");
}

bool Cgroups::try_remove(std::string_view name) const {
  bool removed = remove_tree_at(unified_.directory.get(), std::string(name));
  for (const Hierarchy& hierarchy : legacy_) {
    removed = remove_tree_at(hierarchy.directory.get(), std::string(name)) && removed;
  }
  return removed;
}

bool Cgroups::remove(std::string_view name, Deadline deadline) const {
  while (!try_remove(name)) {
    if (deadline.passed()) {
      return false;
    }
    kill(name);
    // cgroup.events reports when the last process has gone; the other hierarchies have nothing to wait on, hence the
    // short timeout.
    const UniqueFd events(
        openat(unified_.directory.get(), fmt::format("{}/cgroup.events", name).c_str(), O_RDONLY | O_CLOEXEC));
    pollfd waiting{events.get(), POLLPRI, 0};
    const timespec half_a_millisecond{0, 500'000};
    ppoll(&waiting, 1, &half_a_millisecond, nullptr);
  }
  return true;
}

void Cgroups::remove_if_empty(std::string_view name) const {
  (void)unlinkat(unified_.directory.get(), std::string(name).c_str(), AT_REMOVEDIR);
  for (const Hierarchy& hierarchy : legacy_) {
    (void)unlinkat(hierarchy.directory.get(), std::string(name).c_str(), AT_REMOVEDIR);
  }
}

std::uint64_t Cgroups::oom_kills(std::string_view name) const {
  for (const Hierarchy& hierarchy : legacy_) {
    if (hierarchy.has("memory")) {
      return flat_keyed(read_at(hierarchy.directory.get(), fmt::format("{}/memory.oom_control", name)), "oom_kill");
    }
  }
  return flat_keyed(read_at(unified_.directory.get(), fmt::format("{}/memory.events", name)), "oom_kill");
}

}  // namespace mayfly
