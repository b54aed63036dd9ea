#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include "mayfly/cli/doctor.h"
#include "mayfly/keeper/privileges.h"
#include "mayfly/layer/id_map.h"
#include "mayfly/layer/overlay.h"
#include "mayfly/session/session.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/owned_temp_dir.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

using Status = ProbeResult::Status;

// Far above ids in use; the same base as a session's.
constexpr IdMap kProbeMap{.host_base = 0x20000000};

ProbeResult probe_root() {
  try {
    require_privileges();
    return {.detail = "running as root"};
  } catch (const PrivilegeError& error) {
    return {Status::failed, error.message(), error.hint()};
  }
}

ProbeResult probe_user_namespaces() {
  const UniqueFd made = make_id_map_namespace(kProbeMap);
  return {.detail = "a user namespace with 65536 ids can be made"};
}

ProbeResult probe_pidfd() {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!pidfd) throw SystemError("pidfd_open");
  return {.detail = "pidfd_open works"};
}

/// The nearest directory that exists at or above `path`.
std::filesystem::path existing(std::filesystem::path path) {
  while (!std::filesystem::exists(path) && path.has_relative_path()) path = path.parent_path();
  return path;
}

/// Mounts `lower` as an id-mapped overlay. Changes the calling thread's mount namespace for good.
void mount_probe_overlay(const std::filesystem::path& lower, const std::filesystem::path& scratch) {
  if (unshare(CLONE_NEWNS) != 0) throw SystemError("make a mount namespace");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) throw SystemError("make mounts private");
  if (mount("tmpfs", scratch.c_str(), "tmpfs", 0, "size=1m") != 0) throw SystemError("mount a tmpfs");
  for (const char* name : {"upper", "work", "merged"}) std::filesystem::create_directory(scratch / name);
  const UniqueFd namespace_fd = make_id_map_namespace(kProbeMap);
  mount_overlay({.lowers = {lower},
                 .upper = scratch / "upper",
                 .work = scratch / "work",
                 .target = scratch / "merged",
                 .id_map = kProbeMap},
                namespace_fd);
}

ProbeResult probe_overlay(const std::filesystem::path& store) {
  const std::filesystem::path lower = existing(store);
  const OwnedTempDir scratch("doctor");
  std::string failure;
  // The thread's namespace, and with it every mount, ends with the thread.
  std::thread([&]() noexcept {
    try {
      mount_probe_overlay(lower, scratch.path());
    } catch (const std::exception& error) {
      failure = error.what();
    }
  }).join();
  if (failure.empty()) return {.detail = fmt::format("'{}' can be an id-mapped overlay layer", lower.string())};
  return {Status::failed, failure,
          "set MAYFLY_STORE_DIR to a directory on ext4, xfs or btrfs; the kernel has to be 5.19 or newer"};
}

/// The mount point of the cgroup2 hierarchy, from /proc/self/mountinfo.
std::filesystem::path cgroup2_root() {
  std::istringstream mounts(read_file("/proc/self/mountinfo"));
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string field;
    for (int i = 0; i < 5; ++i) fields >> field;
    return field;
  }
  throw Error("no cgroup2 hierarchy is mounted");
}

ProbeResult probe_cgroup() {
  const std::filesystem::path root = cgroup2_root();
  const std::filesystem::path mine = root / fmt::format("mayfly-doctor-{}", getpid());
  std::error_code failure;
  std::filesystem::create_directory(mine, failure);
  if (failure) throw SystemError(fmt::format("create cgroup '{}'", mine.string()), failure.value());
  const bool can_kill = std::filesystem::exists(mine / "cgroup.kill");
  std::filesystem::remove(mine);
  if (can_kill) return {.detail = fmt::format("cgroup2 at '{}', with cgroup.kill", root.string())};
  return {Status::failed, "the kernel has no cgroup.kill", "use Linux 5.14 or newer"};
}

ProbeResult probe_keeper() {
  const auto keeper = find_shipped("mayfly-keeper");
  std::string version = check_process({keeper.string(), "--version"}).out;
  version.erase(version.find_last_not_of('\n') + 1);
  return {.detail = std::move(version)};
}

ProbeResult probe_store(const std::filesystem::path& store) {
  const std::filesystem::path place = existing(store);
  struct statvfs space {};
  if (statvfs(place.c_str(), &space) != 0) throw SystemError(fmt::format("statvfs '{}'", place.string()));
  const double gigabytes = static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize) / 1e9;
  std::string detail = fmt::format("{:.1f} GB free for '{}'", gigabytes, store.string());
  if (gigabytes >= 2) return {.detail = std::move(detail)};
  return {Status::warning, std::move(detail), "an image takes 0.2 to 1 GB; set MAYFLY_STORE_DIR to a larger disk"};
}

/// An orphan whose exit nobody collects keeps its pid namespace, and so a container's teardown, waiting.
ProbeResult probe_reaping() {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) throw SystemError("create a pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t middle = fork();
  if (middle < 0) throw SystemError("fork");
  if (middle == 0) {
    const pid_t orphan = fork();
    if (orphan == 0) _exit(0);
    _exit(write(ends[1], &orphan, sizeof orphan) == sizeof orphan ? 0 : 1);
  }
  write_end.reset();
  pid_t orphan = -1;
  const bool told = read(read_end.get(), &orphan, sizeof orphan) == sizeof orphan;
  waitpid(middle, nullptr, 0);
  if (!told || orphan <= 0) throw Error("the probe's child ended early");
  const auto start = Deadline::Clock::now();
  for (const Deadline deadline = Deadline::after(Milliseconds(3000)); !deadline.passed();) {
    if (kill(orphan, 0) != 0) {
      const auto took = std::chrono::duration_cast<Milliseconds>(Deadline::Clock::now() - start);
      if (took < Milliseconds(500)) return {.detail = "process 1 reaps orphans"};
      return {Status::warning, fmt::format("process 1 takes {} to reap an orphan", to_string(took)),
              "teardown may be slow"};
    }
    std::this_thread::sleep_for(Milliseconds(5));
  }
  return {Status::warning, "process 1 doesn't reap orphans",
          "give this container an init that does: docker run --init, or tini"};
}

Probe tool(const std::string& program, const std::string& what_for, const std::string& package) {
  return {program, [=]() -> ProbeResult {
            if (const auto path = find_program(program)) return {.detail = path->string()};
            return {Status::warning, fmt::format("not found: {}", what_for), "apt-get install " + package};
          }};
}

ProbeResult probe_tun() {
  if (std::filesystem::exists("/dev/net/tun")) return {.detail = "/dev/net/tun"};
  return {Status::warning, "no /dev/net/tun: profiles with network = \"nat\" can't start",
          "modprobe tun, or pass the device into this container"};
}

ProbeResult probe_container(const Paths& paths) {
  SessionOptions options;
  options.paths = paths;
  options.progress = [](std::string_view) {};
  Session session(std::move(options));
  const auto start = std::chrono::steady_clock::now();
  Container container = session.start(parse_profile("", "doctor", "/"));
  container.check({"/bin/true"});
  container.teardown();
  const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start);
  session.close();
  return {.detail = fmt::format("a container of the host's image ran /bin/true and went, in {}", to_string(took))};
}

}  // namespace

std::vector<Probe> doctor_probes(const Paths& paths) {
  return {
      {"privileges", probe_root},
      {"user namespaces", probe_user_namespaces},
      {"pidfd", probe_pidfd},
      {"cgroup", probe_cgroup},
      {"overlay", [=] { return probe_overlay(paths.store); }},
      {"store", [=] { return probe_store(paths.store); }},
      {"orphans", probe_reaping},
      {"keeper", probe_keeper},
      tool("mmdebstrap", "images of source 'debian' can't be built", "mmdebstrap"),
      tool("slirp4netns", "profiles with network = \"nat\" can't start", "slirp4netns"),
      {"tun device", probe_tun},
      tool("ansible-playbook", "steps of kind 'ansible' can't run", "ansible-core"),
      tool("cdist", "steps of kind 'cdist' can't run", "cdist"),
      {"container", [=] { return probe_container(paths); }},
  };
}

}  // namespace mayfly
