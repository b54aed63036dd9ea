#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/report.h"
#include "bench/row.h"
#include "mayfly/session/session.h"

namespace mayfly::bench {

/// What all groups share.
struct Surroundings {
  Session& session;
  std::filesystem::path rootfs;   ///< bookworm minbase: what every row of every group has inside
  std::filesystem::path scratch;  ///< on the store's file system; removed in the end
  Profile minbase;                ///< the same as a profile, with Mayfly's own init
};

/// Container made, /bin/true run in it, gone.
[[nodiscard]] Group cycle_group(const Surroundings& surroundings);
/// The same with a veth on a bridge.
[[nodiscard]] Group network_group(const Surroundings& surroundings);
/// /bin/true in a running container, both outputs captured.
[[nodiscard]] Group exec_group(const Surroundings& surroundings);
/// A converged machine that boots systemd: cloned until it is `running`; gone again.
[[nodiscard]] Group systemd_group(const Surroundings& surroundings);
[[nodiscard]] Group teardown_group(const Surroundings& surroundings);
/// A container from the warm pool, until a command has run in it; reset() with the pool.
[[nodiscard]] Group handout_group(const Surroundings& surroundings);
/// What systemd's boot costs as the image has it, and with what lean_boot() leaves out.
[[nodiscard]] Group boot_group(const Surroundings& surroundings);
/// The same unit by unit; takes minutes, so only when it is asked for.
[[nodiscard]] Group boot_units_group(const Surroundings& surroundings);
/// Clean cycles with 1, 2 and 8 at a time: containers a second.
[[nodiscard]] std::vector<Group> throughput_groups(const Surroundings& surroundings);
/// 1, 50 and 200 containers at once: time and memory.
[[nodiscard]] Group many_group(const Surroundings& surroundings);

/// What Mayfly wants to reach, by the names of these groups' rows.
[[nodiscard]] std::vector<Aim> aims();

/// The names of rows that aims speak of.
namespace row {
inline constexpr const char* kFloor = "floor: namespaces, overlay, proc, exec; upper on disk";
inline constexpr const char* kSameFloor = "floor with user namespace, /sys, /dev, own cgroup; upper on tmpfs";
inline constexpr const char* kMayfly = "Mayfly (unprivileged, the default)";
inline constexpr const char* kVethFloor = "floor of the same namespaces and mounts, with a veth on a bridge";
inline constexpr const char* kMayflyNat = "Mayfly, network = \"nat\"";
inline constexpr const char* kLxcBoot = "lxc-copy -e of the same image, until systemd has started";
inline constexpr const char* kLxcCopy = "lxc-copy -e, lxc-attach, lxc-stop -k";
inline constexpr const char* kPodman = "podman run --rm --network none";
inline constexpr const char* kCrun = "crun run, bundle on an overlay";
inline constexpr const char* kRawExec = "raw: fork, setns, fork, exec, pipes";
inline constexpr const char* kExec = "Mayfly: Container::run";
inline constexpr const char* kSharedBody = "Mayfly: an empty body, shared memory (no exec)";
inline constexpr const char* kForkedBody = "Mayfly: an empty body, fork (no exec)";
inline constexpr const char* kPodmanExec = "podman exec";
inline constexpr const char* kClone = "Mayfly: start() until systemd is running";
inline constexpr const char* kHandOut = "Mayfly: from the pool";
inline constexpr const char* kSystemdHandOut = "Mayfly: a systemd machine from the pool";
inline constexpr const char* kTeardown = "Mayfly: teardown()";
inline constexpr const char* kSystemdTeardown = "Mayfly: teardown() of a systemd machine";
}  // namespace row

}  // namespace mayfly::bench
