#include "mayfly/keeper/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>

#include "mayfly/container/monitor.h"
#include "mayfly/container/seed.h"
#include "mayfly/keeper/private_mounts.h"
#include "mayfly/keeper/purge.h"
#include "mayfly/layer/freeze.h"
#include "mayfly/layer/overlay.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

constexpr Milliseconds kUntilCgroupsAreEmpty{1'000};

/// fork(2) with the child born in a cgroup: to move it there can wait 5-15 ms for RCU. The parent must have one thread
/// only, as libc doesn't know of this fork.
pid_t fork_into(const UniqueFd& cgroup) {
  clone_args args{};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<__u64>(cgroup.get());
  const long child = syscall(SYS_clone3, &args, sizeof args);
  if (child < 0 && errno == ENOSYS) {
    // Seccomp profiles of container engines answer so to clone3(2), whose flags they can't look at.
    const pid_t pid = fork();
    if (pid == 0) {
      const int procs = openat(cgroup.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC);
      if (procs < 0 || write(procs, "0", 1) != 1) {
        _exit(1);
      }
      close(procs);
    }
    return pid;
  }
  return static_cast<pid_t>(child);
}

/// The path of mayfly's own program, to tell a monitor's forks from what they execute.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

std::optional<FileIdentity> program_of(const std::string& process) {
  struct stat status {};
  if (stat(fmt::format("/proc/{}/exe", process).c_str(), &status) != 0) {
    return std::nullopt;
  }
  return FileIdentity{status.st_dev, status.st_ino};
}

/// The value of a line "name:\tvalue" of /proc/<pid>/status; empty for a process that has gone.
std::string status_of(const std::string& process, std::string_view name) {
  std::istringstream status(read_file_if_exists(fmt::format("/proc/{}/status", process)).value_or(""));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ':') {
      return line.substr(name.size() + 1);
    }
  }
  return {};
}

/// Whether it is process 1 of a pid namespace below the keeper's.
bool is_nested_init(const std::string& process) {
  std::istringstream pids(status_of(process, "NSpid"));
  std::vector<std::string> levels;
  for (std::string pid; pids >> pid;) {
    levels.push_back(pid);
  }
  return levels.size() > 1 && levels.back() == "1";
}

/// A tmpfs of the memory limit's size tells of a full disk where one without would have the OOM killer end processes
/// of the container, as its pages count.
Bytes writable_size(const Limits& limits) {
  const Bytes kernels_default{0};
  if (limits.disk && limits.memory) {
    return std::min(*limits.disk, *limits.memory);
  }
  return limits.disk.value_or(limits.memory.value_or(kernels_default));
}

/// At most 8 KiB: it has to fit into a packet, and a console's lines may be of any length.
std::string log_tail(const std::filesystem::path& path, std::size_t lines) {
  if (path.empty()) {
    return {};
  }
  try {
    const std::string log = read_file_if_exists(path).value_or("");
    constexpr std::size_t kMost = 8'192;
    return tail(log.size() > kMost ? std::string_view(log).substr(log.size() - kMost) : std::string_view(log), lines);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

Machine::Machine(ContainerSpec spec, MachineNetwork network, MachineSurroundings& surroundings)
    : spec_(std::move(spec)),
      network_(std::move(network)),
      surroundings_(surroundings),
      cgroup_(cgroup_name(surroundings.session, spec_.name)),
      directory_(PrivateMounts::containers() / spec_.name) {
  try {
    const UniqueFd cgroup = surroundings_.cgroups.create(cgroup_);
    if (spec_.privileged) {
      if (!surroundings_.device_filter) {
        surroundings_.device_filter.emplace();
      }
      surroundings_.device_filter->attach(cgroup.get());
    }
    std::filesystem::create_directory(directory_);
    mount_root();
    fork_monitor(cgroup);
  } catch (...) {
    remove();
    throw;
  }
}

Machine::~Machine() {
  try {
    if (monitor_ > 0) {
      surroundings_.cgroups.kill(cgroup_);
      kill_monitor();
      waitpid(monitor_, nullptr, 0);
      monitor_ended();
    }
    remove();
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("remove container '{}' (best effort): {}", spec_.name, error.what()));
  }
  if (result_ != nullptr) {
    munmap(result_, sizeof *result_);
  }
}

void Machine::mount_root() {
  const std::filesystem::path writable = writable_directory();
  if (spec_.writable.empty()) {
    std::filesystem::create_directories(writable);
  }
  if (spec_.writable.empty() && !spec_.writable_on_disk) {
    mount_tmpfs(writable, {.size = writable_size(spec_.limits)});
    writable_layer_ = Mount(writable);
  }
  if (!spec_.privileged && !surroundings_.id_map_namespace) {
    surroundings_.id_map_namespace = make_id_map_namespace(surroundings_.id_map);
  }
  OverlayPlan plan = lower_plan();
  plan.upper = writable / "upper";
  plan.work = writable / "work";
  plan.target = directory_ / "merged";
  const std::filesystem::path& seed = plan.host_id_lowers.front();
  make_writable_layer(writable);
  std::filesystem::create_directory(plan.target);
  std::filesystem::create_directory(seed);
  write_seed(seed,
             seed_files(spec_, {.machine_id = random_machine_id(),
                                .address = network_.address,
                                .resolv_conf = network_.resolv_conf,
                                .usr_changed = plan.lowers.empty() ? std::nullopt : usr_changed(plan.lowers.back())}),
             spec_.privileged ? 0 : surroundings_.id_map.host_base);
  mount_overlay(plan, surroundings_.id_map_namespace);
  merged_ = Mount(plan.target);
}

std::filesystem::path Machine::writable_directory() const {
  if (spec_.writable.empty() && spec_.writable_on_disk) {
    return surroundings_.disk / spec_.name;
  }
  return spec_.writable.empty() ? directory_ / "rw" : spec_.writable;
}

OverlayPlan Machine::lower_plan() const {
  // On the tmpfs of the writable layer it is gone with one unmount.
  const std::filesystem::path seed = (spec_.writable.empty() ? writable_directory() : directory_) / "seed";
  OverlayPlan plan{.host_id_lowers = {seed}, .target = directory_ / "lower"};
  if (!spec_.privileged) {
    plan.id_map = surroundings_.id_map;
  }
  for (const std::filesystem::path& lower : spec_.lowers) {
    plan.lowers.push_back(PrivateMounts::host_path(lower));
  }
  return plan;
}

reply::RootPaths Machine::root_paths() {
  const OverlayPlan plan = lower_plan();
  if (lower_.target().empty()) {
    std::filesystem::create_directories(plan.target);
    mount_overlay(plan, surroundings_.id_map_namespace);
    lower_ = Mount(plan.target);
  }
  return {
      .merged = merged_.target(), .lower = plan.target, .upper = writable_directory() / "upper", .id_map = plan.id_map};
}

std::filesystem::path Machine::console_log() const {
  // Mayfly's own init prints nothing.
  return spec_.init.empty() ? std::filesystem::path() : directory_ / "console.log";
}

std::filesystem::path Machine::lxc_log() const { return directory_ / "lxc.log"; }

LxcPlacement Machine::placement() const {
  LxcPlacement placement{.rootfs = directory_ / "merged",
                         .mount_point = PrivateMounts::lxc_rootfs(),
                         .init_program = surroundings_.init_program,
                         .lxc_log = lxc_log(),
                         .console_log = console_log(),
                         .cgroup = cgroup_,
                         .pivot_cgroup = cgroup_name(surroundings_.session) + "/pivot",
                         .apparmor = surroundings_.apparmor,
                         .link = network_.link};
  if (!spec_.privileged) {
    placement.id_map = surroundings_.id_map;
  }
  return placement;
}

void Machine::fork_monitor(const UniqueFd& cgroup) {
  void* shared = mmap(nullptr, sizeof(MonitorResult), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    throw SystemError("make memory that is shared with a monitor");
  }
  result_ = new (shared) MonitorResult();
  const std::vector<UniqueFd> to_join = surroundings_.cgroups.limit(cgroup_, spec_.limits);
  MonitorPlan plan{.name = spec_.name,
                   .lxc_path = surroundings_.lxc_path,
                   .items = lxc_items(spec_, placement()),
                   .init = init_argv(spec_),
                   .filter = surroundings_.filter,
                   .network_namespace = network_.network_namespace};
  for (const UniqueFd& procs : to_join) {
    plan.join_cgroups.push_back(procs.get());
  }
  UniqueFd cgroup_view;
  if (spec_.systemd) {
    cgroup_view = surroundings_.cgroups.clone_unified_mount();
    plan.cgroup_view = cgroup_view.get();
  }
  if (spec_.init.empty()) {
    started_.reset(eventfd(0, EFD_CLOEXEC));
    if (!started_) {
      throw SystemError("make an eventfd");
    }
    plan.started = started_.get();
  }
  const pid_t keeper = getpid();
  monitor_ = spec_.systemd ? fork() : fork_into(cgroup);
  if (monitor_ < 0) {
    throw SystemError("fork a monitor");
  }
  if (monitor_ == 0) {
    run_monitor(plan, keeper, *result_);
  }
}

bool Machine::init_has_ended() const {
  pollfd ended{init_pidfd_.get(), POLLIN, 0};
  return init_pidfd_ && poll(&ended, 1, 0) == 1;
}

pid_t Machine::find_init() const {
  static const std::optional<FileIdentity> own_program = program_of("self");
  std::istringstream children(read_file_if_exists(fmt::format("/proc/{0}/task/{0}/children", monitor_)).value_or(""));
  for (std::string child; children >> child;) {
    // liblxc's helpers are forks of this program; so is init until it has been executed.
    const std::optional<FileIdentity> program = program_of(child);
    if (program && program != own_program && is_nested_init(child)) {
      return std::stoi(child);
    }
  }
  return -1;
}

void Machine::look_for_init() {
  const pid_t pid = find_init();
  if (pid < 0) {
    return;
  }
  if (phase_ == Phase::dying) {
    if (pid != init_) {
      rebooted_ = true;
      surroundings_.cgroups.kill(cgroup_);
      kill_monitor();
    }
    return;
  }
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd) {
    init_ = pid;
    init_pidfd_ = std::move(pidfd);
    started_.reset();
    phase_ = Phase::running;
    if (spec_.limits != Limits{}) {
      // What the monitor uses isn't the container's, and the OOM killer must not pick it.
      surroundings_.cgroups.move_legacy(monitor_, cgroup_name(surroundings_.session));
    }
  }
}

bool Machine::listens() const {
  for (const char* mask : {"SigCgt", "SigBlk"}) {
    const std::string signals = status_of(std::to_string(init_), mask);
    if (!signals.empty() && (std::stoull(signals, nullptr, 16) >> (shut_down_signal() - 1) & 1) != 0) {
      return true;
    }
  }
  return false;
}

void Machine::ask_to_shut_down() const {
  (void)syscall(SYS_pidfd_send_signal, init_pidfd_.get(), shut_down_signal(), nullptr, 0);
}

int Machine::shut_down_signal() const {
  // systemd(1): SIGRTMIN+3 halts the machine. SIGTERM would only make it reexecute itself.
  return spec_.systemd ? SIGRTMIN + 3 : SIGTERM;
}

void Machine::kill() {
  phase_ = Phase::stopping;
  if (init_pidfd_ && !init_has_ended()) {
    (void)syscall(SYS_pidfd_send_signal, init_pidfd_.get(), SIGKILL, nullptr, 0);
  } else {
    surroundings_.cgroups.kill(cgroup_);
    kill_monitor();
  }
}

void Machine::kill_monitor() const {
  if (monitor_ > 0) {
    (void)::kill(monitor_, SIGKILL);
  }
}

void Machine::init_ended() {
  if (phase_ == Phase::running) {
    phase_ = Phase::dying;
  } else if (phase_ == Phase::stopping) {
    init_pidfd_.reset();
    // It would only undo what remove() undoes faster.
    kill_monitor();
  }
}

void Machine::monitor_ended() {
  if (phase_ != Phase::stopping) {
    reason_ = reason();
  }
  monitor_ = -1;
  if (phase_ == Phase::running || phase_ == Phase::dying || (phase_ == Phase::starting && result_->ran)) {
    phase_ = Phase::exited;
  }
}

std::string Machine::reason() const {
  if (result_->failure[0] != '\0') {
    return result_->failure;
  }
  if (rebooted_) {
    return "the container rebooted itself, which ends it";
  }
  const std::uint64_t oom_kills = surroundings_.cgroups.oom_kills(cgroup_);
  const std::string limit =
      oom_kills > 0 && spec_.limits.memory ? fmt::format(" (limits.memory = {})", to_string(*spec_.limits.memory)) : "";
  if (result_->ran && powered_itself_off(result_->init_status)) {
    return "the container powered itself off";
  }
  if (result_->ran) {
    return fmt::format("init {}{}", describe_init_status(result_->init_status),
                       oom_kills > 0 ? " after the kernel had run out of memory for the container" + limit : "");
  }
  if (oom_kills > 0) {
    return "out of memory while starting" + limit;
  }
  return phase_ == Phase::starting ? "liblxc could not start the container" : "its monitor process ended unexpectedly";
}

ContainerExit Machine::exit() const {
  return {.reason = reason_,
          .console_tail = log_tail(console_log(), 20),
          // Once init has run, liblxc knows nothing of why it ended; what it warned of before only misleads.
          .lxc_log_tail = result_->ran ? std::string() : readable_lxc_log(log_tail(lxc_log(), 100))};
}

void Machine::remove() {
  if (removed_) {
    return;
  }
  removed_ = true;
  surroundings_.cgroups.kill(cgroup_);
  init_pidfd_.reset();
  lower_.teardown();
  merged_.teardown();
  writable_layer_.teardown();
  remove_tree(directory_);
  if (spec_.writable.empty() && spec_.writable_on_disk) {
    remove_tree(writable_directory());
  }
  if (!surroundings_.cgroups.remove(cgroup_, Deadline::after(kUntilCgroupsAreEmpty))) {
    throw Error(fmt::format("container '{}': control group '{}' still has processes", spec_.name, cgroup_));
  }
}

}  // namespace mayfly
