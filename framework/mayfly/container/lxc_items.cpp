#include "mayfly/container/lxc_items.h"

#include <fmt/format.h>

#include <string_view>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

/// Entries are lines of an fstab(5), whose fields blanks separate.
std::string fstab_field(const std::filesystem::path& path) {
  std::string field;
  for (const char c : path.string()) {
    field += c == ' ' ? "\\040" : c == '\t' ? "\\011" : std::string(1, c);
  }
  return field;
}

class Items {
 public:
  void add(std::string_view key, std::string value) { items_.push_back({std::string(key), std::move(value)}); }
  std::vector<LxcItem> take() { return std::move(items_); }

 private:
  std::vector<LxcItem> items_;
};

void add_identity(Items& items, const ContainerSpec& spec, const LxcPlacement& placement) {
  items.add("lxc.uts.name", spec.hostname.empty() ? spec.name : spec.hostname);
  items.add("lxc.rootfs.path", "dir:" + placement.rootfs.string());
  items.add("lxc.rootfs.mount", placement.mount_point.string());
  if (placement.id_map) {
    for (const char kind : {'u', 'g'}) {
      items.add("lxc.idmap", fmt::format("{} 0 {} {}", kind, placement.id_map->host_base, placement.id_map->count));
    }
  }
  if (!spec.env.contains("PATH")) {
    // liblxc clears the environment.
    items.add("lxc.environment", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  }
  for (const auto& [name, value] : spec.env) {
    items.add("lxc.environment", fmt::format("{}={}", name, value));
  }
}

void add_mounts(Items& items, const ContainerSpec& spec, const LxcPlacement& placement) {
  // In a user namespace /proc/sys belongs to whoever owns each namespace, so it needs no read-only cover.
  items.add("lxc.mount.auto", spec.privileged ? "proc:mixed" : "proc:rw");
  if (spec.network == Network::host && !spec.privileged) {
    // A sysfs of its own needs a network namespace of its own.
    items.add("lxc.mount.entry", "/sys sys none rbind 0 0");
  } else {
    items.add("lxc.mount.auto", "sys:mixed");
  }
  if (spec.systemd && !spec.stock_boot) {
    // systemd would start a process to mount it.
    items.add("lxc.mount.entry", "mqueue dev/mqueue mqueue nosuid,nodev,noexec,create=dir,optional 0 0");
  } else if (!spec.systemd) {
    // systemd mounts it itself; liblxc's /dev has none, and shm_overview(7) is wanted by Python's multiprocessing, for
    // one.
    items.add("lxc.mount.entry", "shm dev/shm tmpfs nosuid,nodev,mode=1777,create=dir 0 0");
  }
  if (spec.init.empty()) {
    items.add("lxc.mount.entry", fmt::format("{} {} none bind,ro,create=file 0 0", fstab_field(placement.init_program),
                                             std::string_view(kInitInContainer).substr(1)));
  }
  items.add("lxc.tty.max", "0");
  items.add("lxc.pty.max", "256");
}

void add_console(Items& items, const LxcPlacement& placement) {
  if (placement.console_log.empty()) {
    items.add("lxc.console.path", "none");
    return;
  }
  items.add("lxc.console.logfile", placement.console_log.string());
  items.add("lxc.console.size", "1MB");
}

void add_network(Items& items, const ContainerSpec& spec, const LxcPlacement& placement) {
  switch (spec.network) {
    case Network::none:
      items.add("lxc.net.0.type", "empty");
      items.add("lxc.net.0.flags", "up");  // of the loopback interface
      break;
    case Network::host:
      items.add("lxc.net.0.type", "none");
      break;
    case Network::nat:
      if (!placement.link) {
        throw Error(fmt::format("container '{}': network 'nat' without a bridge to attach to", spec.name));
      }
      items.add("lxc.net.0.type", "veth");
      items.add("lxc.net.0.link", placement.link->bridge);
      items.add("lxc.net.0.name", "eth0");
      items.add("lxc.net.0.flags", "up");
      items.add("lxc.net.0.hwaddr", placement.link->ethernet_address);
      items.add("lxc.net.0.ipv4.address", placement.link->address);
      items.add("lxc.net.0.ipv4.gateway", placement.link->gateway);
      break;
  }
}

void add_security(Items& items, const LxcPlacement& placement) {
  items.add("lxc.cap.drop", "mac_admin mac_override sys_time sys_module sys_rawio");
  if (placement.apparmor) {
    items.add("lxc.apparmor.profile", "unconfined");
  }
}

/// Only where liblxc sees a cgroup tree, see MonitorPlan::cgroup_view.
void add_cgroups(Items& items, const LxcPlacement& placement) {
  items.add("lxc.mount.auto", "cgroup:rw:force");
  items.add("lxc.cgroup.dir.container", placement.cgroup + "/ct");
  items.add("lxc.cgroup.dir.monitor", placement.cgroup + "/monitor");
  items.add("lxc.cgroup.dir.monitor.pivot", placement.pivot_cgroup);
}

}  // namespace

std::vector<std::string> init_argv(const ContainerSpec& spec) {
  return spec.init.empty() ? std::vector<std::string>{kInitInContainer} : spec.init;
}

std::vector<LxcItem> lxc_items(const ContainerSpec& spec, const LxcPlacement& placement) {
  Items items;
  // First, so that the log has what liblxc says about the rest.
  items.add("lxc.log.file", placement.lxc_log.string());
  items.add("lxc.log.level", "WARN");
  add_identity(items, spec, placement);
  add_mounts(items, spec, placement);
  add_console(items, placement);
  add_network(items, spec, placement);
  add_security(items, placement);
  if (spec.systemd) {
    add_cgroups(items, placement);
  }
  return items.take();
}

}  // namespace mayfly
