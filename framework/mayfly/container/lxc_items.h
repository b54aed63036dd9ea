#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/container/container_spec.h"
#include "mayfly/layer/id_map.h"

namespace mayfly {

/// One line of a liblxc configuration, see lxc.container.conf(5).
struct LxcItem {
  std::string key;
  std::string value;
  friend bool operator==(const LxcItem&, const LxcItem&) = default;
};

/// Where the keeper has put things for one container.
struct LxcPlacement {
  std::filesystem::path rootfs;        ///< the mounted overlay
  std::filesystem::path mount_point;   ///< any existing directory: liblxc builds the container's tree on it
  std::filesystem::path init_program;  ///< mayfly-init as the host sees it; used when the spec names no init
  std::filesystem::path lxc_log;
  std::filesystem::path console_log{};  ///< empty: no console at all
  std::string cgroup;                   ///< below the cgroup2 root: `mayfly/<session>/<container>`
  std::string pivot_cgroup;             ///< `mayfly/<session>/pivot`
  std::optional<IdMap> id_map{};        ///< nothing for a privileged container
  bool apparmor = false;                ///< the kernel has AppArmor enabled

  struct Link {
    std::string bridge;   ///< in the network namespace that liblxc runs in
    std::string address;  ///< with its prefix length: "10.0.2.16/24"
    std::string gateway;
    std::string ethernet_address;
  };
  std::optional<Link> link{};  ///< set for Network::nat
};

/// The path at which a container finds Mayfly's own init.
inline constexpr const char* kInitInContainer = "/dev/.mayfly/init";

/// What runs as process 1. Handed to liblxc's start() and not as `lxc.init.cmd`, which liblxc would split at blanks.
[[nodiscard]] std::vector<std::string> init_argv(const ContainerSpec& spec);

/// The container's whole liblxc configuration, in the order in which liblxc has to see it. There is no `lxc.include`:
/// the distribution's common.conf costs 2-3 ms a start and differs from release to release.
[[nodiscard]] std::vector<LxcItem> lxc_items(const ContainerSpec& spec, const LxcPlacement& placement);

}  // namespace mayfly
