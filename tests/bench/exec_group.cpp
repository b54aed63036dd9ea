#include <fmt/format.h>
#include <unistd.h>

#include "bench/floor.h"
#include "bench/groups.h"
#include "bench/peers.h"
#include "mayfly/exec/target.h"
#include "mayfly/support/subprocess.h"

namespace mayfly::bench {
namespace {

constexpr const char* kName = "mayfly-bench-exec";

/// A peer's container that stays for all rounds.
class LxcForExec {
 public:
  explicit LxcForExec(const Surroundings& on)
      : tools_(on.rootfs, on.scratch / "lxc-exec", "/bin/sleep infinity"), name_(tools_.start()) {}
  ~LxcForExec() {
    try {
      tools_.stop(name_);
    } catch (const std::exception& error) {
      fmt::print(stderr, "lxc-stop: {}\n", error.what());
    }
  }
  LxcForExec(const LxcForExec&) = delete;
  LxcForExec& operator=(const LxcForExec&) = delete;
  void run() const { tools_.attach(name_, {"/bin/true"}); }

 private:
  LxcTools tools_;
  std::string name_;
};

class PodmanForExec {
 public:
  explicit PodmanForExec(const Surroundings& on) : podman_(on.rootfs, on.scratch / "podman-exec") {
    podman_.start(kName, {"/bin/sleep", "infinity"});
  }
  ~PodmanForExec() {
    try {
      podman_.remove({kName});
    } catch (const std::exception& error) {
      fmt::print(stderr, "podman rm: {}\n", error.what());
    }
  }
  PodmanForExec(const PodmanForExec&) = delete;
  PodmanForExec& operator=(const PodmanForExec&) = delete;
  void run() const { podman_.exec(kName, {"/bin/true"}); }

 private:
  Podman podman_;
};

template <typename Peer>
Row peer_row(const char* name, std::initializer_list<Needed> needed, const Surroundings& on) {
  // Started by the first run, so that a failure is the row's and not the benchmark's.
  auto peer = std::make_shared<std::unique_ptr<Peer>>();
  return {.name = name,
          .run = timed([peer] { (*peer)->run(); }),
          .prepare =
              [peer, &on] {
                if (!*peer) {
                  *peer = std::make_unique<Peer>(on);
                }
              },
          .peer = true,
          .missing = missing(needed)};
}

}  // namespace

Group exec_group(const Surroundings& on) {
  Group group{.name = "exec", .title = "/bin/true in a running container, outputs captured"};
  const auto container = std::make_shared<Container>(on.session.start(on.minbase));
  const int pidfd = container->target().init_pidfd();
  const std::string init = std::to_string(container->target().init_pid());
  group.rows.push_back({row::kRawExec, timed([container, pidfd] { raw_exec(pidfd, true); })});
  group.rows.push_back({row::kExec, timed([container] { container->check({"/bin/true"}); })});
  group.rows.push_back(
      {row::kSharedBody, timed([container] { container->inside([] {}, {.engine = BodyEngine::shared_memory}); })});
  group.rows.push_back({row::kForkedBody, timed([container] { container->inside([] {}); })});
  group.rows.push_back({.name = "nsenter --all",
                        .run = timed([container, init] {
                          check_process({"nsenter", "-t", init, "-a", "/bin/true"});
                        }),
                        .peer = true,
                        .missing = missing({{"nsenter", "util-linux"}})});
  group.rows.push_back(peer_row<LxcForExec>("lxc-attach", {{"lxc-attach", "lxc"}}, on));
  group.rows.push_back(peer_row<PodmanForExec>(row::kPodmanExec, {{"podman", "podman"}, {"runc", "runc"}}, on));
  return group;
}

}  // namespace mayfly::bench
