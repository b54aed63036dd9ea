#include "bench/groups.h"

namespace mayfly::bench {

std::vector<Aim> aims() {
  return {
      {"clean cycle / floor with the same namespaces and mounts", "cycle", row::kMayfly, row::kSameFloor, 0, 2.2},
      {"clean cycle / crun run", "cycle", row::kMayfly, row::kCrun, 0, 1},
      {"clean cycle / lxc-copy -e", "cycle", row::kMayfly, row::kLxcCopy, 0, 1 / 4.0},
      {"clean cycle / podman run", "cycle", row::kMayfly, row::kPodman, 0, 1 / 15.0},
      {"clean cycle with a network / floor with a veth", "network", row::kMayflyNat, row::kVethFloor, 0, 2.8},
      {"exec / raw setns, fork, exec", "exec", row::kExec, row::kRawExec, 0, 2},
      {"body in shared memory, ms", "exec", row::kSharedBody, "", 0, 0.3},
      {"body by fork, ms", "exec", row::kForkedBody, "", 0, 1.5},
      {"body by fork / podman exec", "exec", row::kForkedBody, row::kPodmanExec, 0, 1 / 10.0},
      {"exec / podman exec", "exec", row::kExec, row::kPodmanExec, 0, 1 / 20.0},
      {"systemd machine to `running`, ms", "systemd", row::kClone, "", 0, 220},
      // 220 ms where lxc-copy takes 390: the machine of the aims.
      {"systemd machine to `running` / lxc-copy -e", "systemd", row::kClone, row::kLxcBoot, 0, 0.56},
      {"hand-out from the pool, ms", "handout", row::kHandOut, "", 0, 2},
      {"hand-out from the pool / the floor's cycle", "handout", row::kHandOut, row::kSameFloor, 0, 1},
      {"hand-out of a systemd machine, ms", "handout", row::kSystemdHandOut, "", 0, 2},
      {"teardown, ms", "teardown", row::kTeardown, "", 0, 20},
      {"teardown of a systemd machine, ms", "teardown", row::kSystemdTeardown, "", 0, 20},
      {"throughput of 8 at a time / the same floor's", "throughput-j8", row::kMayfly, row::kSameFloor, 0, 0.4, true},
      {"throughput of 8 at a time / podman's", "throughput-j8", row::kMayfly, row::kPodman, 0, 15, true},
      {"200 containers up, ms", "many", "Mayfly, 200", "", 0, 4'000},
      {"memory each of 200, kB", "many", "Mayfly, 200", "", 2, 3'072},
  };
}

}  // namespace mayfly::bench
