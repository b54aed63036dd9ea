// Prints, side by side and measured in turn in one run from one root file system, what containers cost: a clean cycle,
// a command, a systemd machine, teardown, many at a time, many at once; beside it what the kernel alone takes for the
// same (the floor) and what other software takes.
//
//   tests/bench/run.sh                     builds and runs it
//   bench --only cycle --rounds 40 --json figures.json

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "bench/groups.h"
#include "bench/machine.h"
#include "bench/report.h"
#include "mayfly/container/cgroup.h"
#include "mayfly/image/image.h"
#include "mayfly/keeper/client.h"
#include "mayfly/session/session.h"
#include "mayfly/support/file_io.h"

namespace {

using namespace mayfly;
using bench::Group;

struct Settings {
  int rounds = 20;
  std::vector<std::string> only{};
  std::vector<std::string> rows{};
  std::filesystem::path json{};
};

/// A group is made when its turn comes: it may start containers.
struct GroupMaker {
  std::string name;  ///< what its groups' names begin with
  std::function<std::vector<Group>(const bench::Surroundings&)> make;
  bool by_name_only = false;  ///< isn't in the run that names no groups
};

std::vector<GroupMaker> group_makers() {
  const auto one = [](Group (*make)(const bench::Surroundings&)) {
    return [make](const bench::Surroundings& on) { return std::vector<Group>{make(on)}; };
  };
  return {{"cycle", one(bench::cycle_group)},       {"network", one(bench::network_group)},
          {"exec", one(bench::exec_group)},         {"systemd", one(bench::systemd_group)},
          {"handout", one(bench::handout_group)},   {"teardown", one(bench::teardown_group)},
          {"boot", one(bench::boot_group), true},   {"boot-units", one(bench::boot_units_group), true},
          {"throughput", bench::throughput_groups}, {"many", one(bench::many_group)}};
}

void show_progress(const std::string& text) {
  if (isatty(STDERR_FILENO) != 0) {
    fmt::print(stderr, "\r\033[K{}", text);
  }
}

std::vector<bench::GroupResult> run_groups(const Settings& settings) {
  const Paths paths = Paths::from_environment();
  const Image image = ensure_image(DebianImage{.suite = "bookworm"}, paths, BuildScope{}, log_progress());
  const TempDir scratch("mayfly-bench-", paths.store);
  Session session;
  bench::Surroundings on{.session = session, .rootfs = image.lowers.front(), .scratch = scratch.path()};
  on.minbase.name = "bench";
  on.minbase.hostname = "bench";
  on.minbase.image = DirectoryImage{.path = on.rootfs};
  std::vector<bench::GroupResult> results;
  for (const GroupMaker& maker : group_makers()) {
    const auto& only = settings.only;
    const bool named = std::find(only.begin(), only.end(), maker.name) != only.end();
    if (only.empty() ? maker.by_name_only : !named) {
      continue;
    }
    for (Group group : maker.make(on)) {
      std::erase_if(group.rows, [&](const bench::Row& row) {
        return !settings.rows.empty() &&
               std::none_of(settings.rows.begin(), settings.rows.end(),
                            [&](const auto& text) { return row.name.find(text) != std::string::npos; });
      });
      results.push_back(bench::measure(group, settings.rounds, show_progress));
    }
  }
  show_progress("");
  session.close();
  Cgroups::of_host().remove_if_empty("mayfly-bench");
  return results;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"What containers cost, beside the kernel's own floor and other software."};
  Settings settings;
  std::vector<std::string> names;
  for (const GroupMaker& maker : group_makers()) {
    names.push_back(maker.name);
  }
  app.add_option("--rounds", settings.rounds, "rounds; each measures every row of a group once")
      ->check(CLI::Range(1, 10000));
  app.add_option("--only", settings.only, "groups to measure")->check(CLI::IsMember(names));
  app.add_option("--rows", settings.rows, "only rows whose name has this text in it");
  app.add_option("--json", settings.json, "write every round as JSON")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  try {
    // Whatever a peer mounts stays here and ends with this process.
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      throw SystemError("unshare mount namespace");
    }
    const std::string machine = bench::describe_machine();
    const std::vector<bench::GroupResult> results = run_groups(settings);
    fmt::print("{}\n{}{}", machine, bench::markdown(results), bench::markdown(bench::aims(), results));
    if (!settings.json.empty()) {
      write_file(settings.json, bench::as_json(machine, results));
    }
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return 1;
  }
}
