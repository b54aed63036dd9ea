#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <linux/filter.h>

#include "mayfly/container/cgroup.h"
#include "mayfly/container/container_spec.h"
#include "mayfly/container/device_filter.h"
#include "mayfly/container/init_status.h"
#include "mayfly/container/lxc_items.h"
#include "mayfly/keeper/protocol.h"
#include "mayfly/layer/id_map.h"
#include "mayfly/layer/mount.h"
#include "mayfly/layer/overlay.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// What all machines of a session share.
struct MachineSurroundings {
  const Cgroups& cgroups;
  std::string session;
  std::filesystem::path init_program;  ///< mayfly-init
  /// liblxc's "lxcpath". It names abstract sockets after it, which all keepers see, so it is each session's own.
  std::filesystem::path lxc_path;
  std::filesystem::path disk;  ///< in the store: for writable layers on disk; made for the first
  std::span<const sock_filter> filter;
  IdMap id_map;
  UniqueFd id_map_namespace{};                  ///< made at the first unprivileged container
  std::optional<DeviceFilter> device_filter{};  ///< made at the first privileged one
  bool apparmor = false;
};

/// Where a machine's network comes from; nothing set for networks `none` and `host`.
struct MachineNetwork {
  std::optional<LxcPlacement::Link> link{};
  int network_namespace = -1;
  std::string address{};  ///< without prefix length
  std::optional<std::string> resolv_conf{};
};

/// One container in the keeper: its mounts, cgroups, monitor process and init. The steps of its life are driven from
/// outside, by the server's event loop; none of them waits, except for what ends within milliseconds.
class Machine {
 public:
  enum class Phase {
    starting,  ///< the monitor runs, init not yet
    running,
    dying,    ///< init has ended by itself, the monitor is about to say how
    exited,   ///< init and monitor have ended, the rest is kept for whoever asks why
    stopping  ///< killed
  };

  /// Mounts the root file system and forks the monitor. A failure leaves nothing.
  Machine(ContainerSpec spec, MachineNetwork network, MachineSurroundings& surroundings);
  /// Undoes what is left, best effort.
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  [[nodiscard]] const ContainerSpec& spec() const noexcept { return spec_; }
  [[nodiscard]] const std::string& address() const noexcept { return network_.address; }
  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  [[nodiscard]] pid_t monitor() const noexcept { return monitor_; }
  [[nodiscard]] pid_t init() const noexcept { return init_; }
  [[nodiscard]] int init_pidfd() const noexcept { return init_pidfd_.get(); }
  /// Readable once init runs; -1 for an init that can't tell: then only look_for_init() does.
  [[nodiscard]] int started_fd() const noexcept { return started_.get(); }
  [[nodiscard]] bool init_has_ended() const;
  [[nodiscard]] std::filesystem::path console_log() const;
  [[nodiscard]] std::filesystem::path lxc_log() const;
  /// Mounts what it takes at the first call.
  [[nodiscard]] reply::RootPaths root_paths();

  /// Looks whether init has been executed; then the phase is `running`. In phase `dying`: whether liblxc starts the
  /// container again, as it does when that asks for a reboot (reboot(2)); then it is killed.
  void look_for_init();
  /// Whether init would get the signal that asks it to shut down: the kernel drops what a process 1 neither handles nor
  /// blocks, so one that has just been executed is deaf. One that sits in sigtimedwait(2) seems deaf, too.
  [[nodiscard]] bool listens() const;
  void ask_to_shut_down() const;
  /// Kills init, or the monitor where there is no init yet.
  void kill();
  void kill_monitor() const;
  /// Init's pidfd has fired.
  void init_ended();
  /// The monitor has been reaped.
  void monitor_ended();

  /// Why it isn't running; for a failed start: why that failed.
  [[nodiscard]] ContainerExit exit() const;

  /// Whether nobody can tell when remove() is called: its writable layer is its own.
  [[nodiscard]] bool can_be_removed_later() const noexcept { return spec_.writable.empty() && !spec_.writable_on_disk; }
  /// Removes all that it had, once the monitor has ended. Idempotent. @throws Error when something can't be undone
  void remove();

 private:
  void mount_root();
  [[nodiscard]] OverlayPlan lower_plan() const;
  [[nodiscard]] std::filesystem::path writable_directory() const;
  [[nodiscard]] LxcPlacement placement() const;
  void fork_monitor(const UniqueFd& cgroup);
  [[nodiscard]] pid_t find_init() const;
  [[nodiscard]] std::string reason() const;
  [[nodiscard]] int shut_down_signal() const;

  ContainerSpec spec_;
  MachineNetwork network_;
  MachineSurroundings& surroundings_;
  std::string cgroup_;
  std::filesystem::path directory_;
  Mount writable_layer_;
  Mount merged_;
  Mount lower_;                      ///< what `merged` was before the first write: for those who look for changes
  MonitorResult* result_ = nullptr;  ///< shared with the monitor
  Phase phase_ = Phase::starting;
  bool removed_ = false;
  bool rebooted_ = false;
  pid_t monitor_ = -1;
  pid_t init_ = -1;
  UniqueFd init_pidfd_;
  UniqueFd started_;  ///< eventfd(2) that Mayfly's own init writes to
  std::string reason_;
};

}  // namespace mayfly
