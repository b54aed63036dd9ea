#include "bench/peers.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>

#include "mayfly/container/cgroup.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"

namespace mayfly::bench {
namespace {

std::string unique_name() {
  static std::atomic<int> number{0};
  return fmt::format("mayfly-bench-{}-{}", getpid(), ++number);
}

std::string overlay_options(const std::filesystem::path& rootfs, const std::filesystem::path& scratch) {
  return fmt::format("lowerdir={},upperdir={},workdir={},volatile", rootfs.string(), (scratch / "upper").string(),
                     (scratch / "work").string());
}

std::vector<std::string> joined(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

std::string missing(std::initializer_list<Needed> programs) {
  for (const Needed& needed : programs) {
    if (!find_program(needed.program)) {
      return fmt::format("'{}' isn't installed (apt install {})", needed.program, needed.package);
    }
  }
  return {};
}

DiskOverlay::DiskOverlay(const std::filesystem::path& rootfs, std::filesystem::path scratch)
    : scratch_(std::move(scratch)) {
  for (const char* part : {"upper", "work", "merged"}) {
    std::filesystem::create_directories(scratch_ / part);
  }
  const std::string options = overlay_options(rootfs, scratch_);
  if (mount("overlay", merged().c_str(), "overlay", 0, options.c_str()) != 0) {
    throw SystemError("mount an overlay");
  }
}

DiskOverlay::~DiskOverlay() {
  umount2(merged().c_str(), MNT_DETACH);
  try {
    remove_tree(scratch_);
  } catch (const std::exception& error) {
    fmt::print(stderr, "remove an overlay: {}\n", error.what());
  }
}

/// Runs in the child of oci_cycle(): mounts that end with the container. With nothing but cgroup2 in /sys/fs/cgroup, as
/// crun refuses hosts with both versions.
void mount_for_oci(const std::filesystem::path& rootfs, const std::filesystem::path& bundle) {
  const std::string options = overlay_options(rootfs, bundle);
  const bool hybrid = access("/sys/fs/cgroup/unified", F_OK) == 0;
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("overlay", (bundle / "merged").c_str(), "overlay", 0, options.c_str()) != 0 ||
      (hybrid && mount("/sys/fs/cgroup/unified", "/sys/fs/cgroup", nullptr, MS_BIND, nullptr) != 0)) {
    _exit(127);
  }
}

void oci_cycle(const std::string& runtime, const std::filesystem::path& rootfs, const std::filesystem::path& scratch) {
  const std::filesystem::path bundle = scratch / runtime;
  if (!std::filesystem::exists(bundle)) {
    std::filesystem::create_directories(bundle);
    check_process({runtime, "spec"}, {.cwd = bundle});
    boost::json::value spec = boost::json::parse(read_file(bundle / "config.json"));
    boost::json::object& process = spec.as_object()["process"].as_object();
    process["terminal"] = false;
    process["args"] = boost::json::array{"/bin/true"};
    process.erase("rlimits");  // to raise one takes a capability that not every root has
    // A filter of devices takes another such capability; the host's have none either.
    spec.as_object()["linux"].as_object().erase("resources");
    spec.as_object()["root"] = boost::json::object{{"path", (bundle / "merged").string()}, {"readonly", false}};
    write_file(bundle / "config.json", boost::json::serialize(spec));
  }
  for (const char* part : {"upper", "work", "merged"}) {
    std::filesystem::create_directories(bundle / part);
  }
  const std::string name = unique_name();
  const pid_t child = fork();
  if (child == 0) {
    mount_for_oci(rootfs, bundle);
    execlp(runtime.c_str(), runtime.c_str(), "run", "--bundle", bundle.c_str(), name.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  const bool reaped = child > 0 && waitpid(child, &status, 0) == child;
  for (const char* part : {"upper", "work"}) {
    remove_tree(bundle / part);
  }
  if (!reaped || status != 0) {
    throw Error(fmt::format("'{} run' ended with wait status {:#x}", runtime, status));
  }
}

void nspawn_cycle(const std::filesystem::path& rootfs) {
  check_process({"systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--volatile=overlay",
                 "--directory", rootfs, "--machine", unique_name(), "/bin/true"});
}

void bubblewrap_cycle(const std::filesystem::path& rootfs, const std::filesystem::path& scratch) {
  const DiskOverlay overlay(rootfs, scratch / unique_name());
  check_process(
      {"bwrap", "--unshare-all", "--bind", overlay.merged(), "/", "--proc", "/proc", "--dev", "/dev", "/bin/true"});
}

Podman::Podman(std::filesystem::path rootfs, std::filesystem::path scratch)
    : rootfs_(std::move(rootfs)),
      scratch_(std::move(scratch)),
      parent_existed_(std::filesystem::exists("/sys/fs/cgroup/unified/libpod_parent") ||
                      std::filesystem::exists("/sys/fs/cgroup/libpod_parent")) {
  std::filesystem::create_directories(scratch_);
}

Podman::~Podman() {
  try {
    // conmon outlives its container a little, and podman leaves its parent cgroup.
    if (!parent_existed_) {
      (void)Cgroups::of_host().remove("libpod_parent", Deadline::after(Milliseconds(2'000)));
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "remove podman's cgroup: {}\n", error.what());
  }
  // Its storage is mounted once by each podman that found it unmounted, one above the other.
  while (umount2((scratch_ / "root/overlay").c_str(), MNT_DETACH) == 0) {
  }
}

std::vector<std::string> Podman::podman(const std::vector<std::string>& arguments) const {
  return joined({"podman", "--root", scratch_ / "root", "--runroot", run_.path(), "--cgroup-manager", "cgroupfs",
                 "--events-backend", "none", "--runtime", "runc"},
                arguments);
}

std::vector<std::string> Podman::run_command(const std::vector<std::string>& options,
                                             const std::vector<std::string>& command) const {
  // Without --ulimit it raises limits, for which not every root has the capability.
  const std::vector<std::string> fixed{"--network", "none",
                                       "--ulimit",  "nofile=1024:1024",
                                       "--ulimit",  "nproc=1000:1000",
                                       "--rootfs",  rootfs_.string() + ":O"};
  return podman(joined(joined(joined({"run"}, options), fixed), command));
}

void Podman::cycle() const { check_process(run_command({"--rm"}, {"/bin/true"})); }

void Podman::start(const std::string& name, const std::vector<std::string>& command,
                   const std::vector<std::string>& options) const {
  check_process(run_command(joined({"-d", "--name", name}, options), command));
}

void Podman::exec(const std::string& name, const std::vector<std::string>& command) const {
  check_process(podman(joined({"exec", name}, command)));
}

void Podman::remove(const std::vector<std::string>& names) const {
  check_process(podman(joined({"rm", "-f", "-t", "0"}, names)));
}

}  // namespace mayfly::bench
