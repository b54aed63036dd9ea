#pragma once

#include <linux/filter.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mayfly/container/init_status.h"
#include "mayfly/container/lxc_items.h"

namespace mayfly {

/// What a monitor process needs to start its container; made before the fork.
struct MonitorPlan {
  std::string name;
  std::filesystem::path lxc_path;  ///< liblxc's directory for it; anything that exists
  std::vector<LxcItem> items;
  std::vector<std::string> init;  ///< argv of process 1
  std::span<const sock_filter> filter{};
  std::vector<int> join_cgroups{};  ///< `cgroup.procs` files of limited version 1 cgroups
  /// A detached mount of cgroup2 where the container needs cgroups of its own (systemd): liblxc makes them, with a way
  /// from cgroup to cgroup for each process, which can wait 5-15 ms for RCU. -1: liblxc sees no cgroups and makes none;
  /// the container is in the one that its monitor is born in.
  int cgroup_view = -1;
  /// Becomes init's standard input: an eventfd(2) that Mayfly's own init writes to once it runs. -1: /dev/null does.
  int started = -1;
  int network_namespace = -1;  ///< with the bridge of `lxc.net.0.link`; -1: stays in the keeper's
};

/// Runs a container in the foreground until its init ends, then exits. For a child that a single-threaded process has
/// just forked; dies with `keeper`. Never returns, never throws.
[[noreturn]] void run_monitor(const MonitorPlan& plan, int keeper, MonitorResult& result) noexcept;

/// "5.0.2"
[[nodiscard]] std::string liblxc_version();

}  // namespace mayfly
