// Prints, side by side and measured in turn in one run from one root file system, what a clean container costs: made,
// one /bin/true run in it, gone.
//
//   tests/bench/run.sh            builds and runs it
//   cycle --rounds 40 --skip podman

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <set>

#include "bench/floor.h"
#include "bench/peers.h"
#include "bench/statistics.h"
#include "mayfly/exec/command.h"
#include "mayfly/image/image.h"
#include "mayfly/keeper/client.h"
#include "mayfly/session/session.h"
#include "mayfly/support/file_io.h"

namespace {

using namespace mayfly;

struct Job {
  std::string name;
  std::function<void()> cycle;
};

double timed(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

/// The whole way of a user: profile -> container -> command -> gone.
void mayfly_cycle(Session& session, const Profile& profile) {
  Container container = session.start(profile);
  container.check({"/bin/true"});
  container.teardown();
}

int run_benchmark(int rounds, const std::set<std::string>& skip) {
  const Paths paths = Paths::from_environment();
  Profile debian;
  debian.name = "bench";
  debian.hostname = "bench";
  debian.image = DebianImage{.suite = "bookworm"};
  const Image image = ensure_image(debian.image, paths, BuildScope{}, log_progress());
  const std::filesystem::path rootfs = image.lowers.front();

  const TempDir scratch("mayfly-bench-", paths.store);
  Session session;
  Profile profile = debian;
  profile.image = DirectoryImage{.path = rootfs};
  profile.init.command = {};
  Profile privileged = profile;
  privileged.privileged = true;

  const bench::Floor disk(rootfs, scratch.path(), {});
  const bench::Floor memory(rootfs, scratch.path(), {.tmpfs_upper = true});
  const bench::Floor user(rootfs, scratch.path(), {.user_namespace = true, .tmpfs_upper = true});
  std::vector<Job> jobs{
      {"floor: namespaces, overlay, proc, exec; upper on disk", [&] { disk.cycle(); }},
      {"floor, upper on tmpfs", [&] { memory.cycle(); }},
      {"floor + user namespace, upper on tmpfs", [&] { user.cycle(); }},
      {"Mayfly (unprivileged, the default)", [&] { mayfly_cycle(session, profile); }},
      {"Mayfly, privileged = true", [&] { mayfly_cycle(session, privileged); }},
  };
  std::unique_ptr<bench::LxcTools> lxc;
  std::unique_ptr<bench::Podman> podman;
  if (!skip.contains("lxc")) {
    lxc = std::make_unique<bench::LxcTools>(rootfs, scratch.path() / "lxc");
    jobs.push_back({"lxc-copy -e, lxc-attach, lxc-stop -k", [&] { lxc->cycle(); }});
  }
  if (!skip.contains("podman")) {
    podman = std::make_unique<bench::Podman>(rootfs, scratch.path() / "podman");
    jobs.push_back({"podman run --rm --network none", [&] { podman->cycle(); }});
  }

  std::vector<bench::Row> rows;
  for (const Job& job : jobs) {
    rows.push_back({.name = job.name});
    job.cycle();  // a round to warm caches, not counted
  }
  // In another order each round: after a spell without any, the first move of a process between cgroups waits for RCU
  // (the peers make such), and no row shall always be the one that pays for that, or never.
  std::vector<std::size_t> order(jobs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random(1);  // NOLINT: the same orders in each run
  for (int round = 0; round < rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t i : order) {
      rows[i].milliseconds.push_back(timed(jobs[i].cycle));
    }
    if (isatty(STDERR_FILENO) != 0) {
      fmt::print(stderr, "\rround {}/{}", round + 1, rounds);
    }
  }
  fmt::print("{}", bench::render_table(rows));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"What a clean container costs: made, one /bin/true, gone. Root file system: bookworm minbase."};
  int rounds = 40;
  std::vector<std::string> skip;
  app.add_option("--rounds", rounds, "rounds; each measures every row once")->check(CLI::Range(1, 10000));
  app.add_option("--skip", skip, "peers to leave out")->check(CLI::IsMember({"lxc", "podman"}));
  CLI11_PARSE(app, argc, argv);
  try {
    // Whatever a peer mounts stays here and ends with this process.
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      throw mayfly::SystemError("unshare mount namespace");
    }
    return run_benchmark(rounds, {skip.begin(), skip.end()});
  } catch (const std::exception& error) {
    fmt::print(stderr, "cycle: {}\n", error.what());
    return 1;
  }
}
