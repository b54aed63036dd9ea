#include "bench/floor.h"
#include "bench/floor_network.h"
#include "bench/groups.h"
#include "bench/peers.h"

namespace mayfly::bench {
namespace {

/// The whole way of a user: profile -> container -> command -> gone.
void mayfly_cycle(Session& session, const Profile& profile) {
  Container container = session.start(profile);
  container.check({"/bin/true"});
  container.teardown();
}

}  // namespace

Group cycle_group(const Surroundings& on) {
  Group group{.name = "cycle", .title = "clean container -> /bin/true -> gone"};
  const auto floor = [&](const char* name, const FloorOptions& options) {
    group.rows.push_back(
        {name, timed([rootfs = on.rootfs, scratch = on.scratch, options] { floor_cycle(rootfs, scratch, options); })});
  };
  floor(row::kFloor, {});
  floor("floor, upper on tmpfs", {.tmpfs_upper = true});
  floor("floor with user namespace; upper on tmpfs", {.user_namespace = true, .tmpfs_upper = true});
  floor(row::kSameFloor, {.user_namespace = true, .tmpfs_upper = true, .whole_machine = true});

  const auto mayfly = [&](const char* name, const Profile& profile) {
    group.rows.push_back({name, timed([&session = on.session, profile] { mayfly_cycle(session, profile); })});
  };
  mayfly(row::kMayfly, on.minbase);
  Profile privileged = on.minbase;
  privileged.privileged = true;
  mayfly("Mayfly, privileged = true", privileged);

  const auto peer = [&](const char* name, std::initializer_list<Needed> needed, std::function<void()> cycle) {
    group.rows.push_back({.name = name, .run = timed(std::move(cycle)), .peer = true, .missing = missing(needed)});
  };
  peer("bwrap --unshare-all on an overlay", {{"bwrap", "bubblewrap"}},
       [&on] { bubblewrap_cycle(on.rootfs, on.scratch); });
  peer(row::kCrun, {{"crun", "crun"}}, [&on] { oci_cycle("crun", on.rootfs, on.scratch); });
  peer("runc run, bundle on an overlay", {{"runc", "runc"}}, [&on] { oci_cycle("runc", on.rootfs, on.scratch); });
  peer("liblxc: start, attach_run_wait, stop; overlay, common.conf", {},
       [&on] { liblxc_cycle(on.rootfs, on.scratch); });
  peer("systemd-nspawn --volatile=overlay", {{"systemd-nspawn", "systemd-container"}},
       [&on] { nspawn_cycle(on.rootfs); });
  peer(row::kLxcCopy, {{"lxc-copy", "lxc"}},
       [lxc = std::make_shared<LxcTools>(on.rootfs, on.scratch / "lxc", "/bin/sleep infinity")] { lxc->cycle(); });
  peer(row::kPodman, {{"podman", "podman"}, {"runc", "runc"}},
       [podman = std::make_shared<Podman>(on.rootfs, on.scratch / "podman")] { podman->cycle(); });
  return group;
}

Group network_group(const Surroundings& on) {
  Group group{.name = "network", .title = "the same with a network of its own"};
  const auto network = std::make_shared<FloorNetwork>();
  group.rows.push_back(
      {row::kVethFloor, timed([&on, network] {
         floor_cycle(on.rootfs, on.scratch,
                     {.user_namespace = true, .tmpfs_upper = true, .whole_machine = true, .network = network.get()});
       })});
  group.rows.push_back({row::kMayfly, timed([&on] { mayfly_cycle(on.session, on.minbase); })});
  Profile nat = on.minbase;
  nat.network = Network::nat;
  group.rows.push_back({row::kMayflyNat, timed([&on, nat] { mayfly_cycle(on.session, nat); })});
  return group;
}

}  // namespace mayfly::bench
