#include "mayfly/state/machine_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "mayfly/exec/command.h"
#include "mayfly/state/machine_state_data.h"
#include "mayfly/state/sysctls.h"
#include "mayfly/state/told_twice.h"
#include "mayfly/state/unit_files.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// What systemd needs at most to answer.
constexpr Milliseconds kWithin{30'000};

std::string text_in(const RootTree& root, const std::string& path) { return root.content(path).value_or(""); }

/// What files tell, of whichever moment.
void read_databases(const RootTree& root, MachineState::Data& data) {
  const std::string passwd = text_in(root, "/etc/passwd");
  const std::string group = text_in(root, "/etc/group");
  data.owners = {.users = names_of_ids(passwd), .groups = names_of_ids(group)};
  data.resources[ResourceKind::user] = users_in(passwd, group, text_in(root, "/etc/shadow"));
  data.resources[ResourceKind::group] = groups_in(group, text_in(root, "/etc/gshadow"));
  std::string status = text_in(root, "/var/lib/dpkg/status");
  // Images without dpkg itself have a file a package.
  for (const std::string& name : root.names("/var/lib/dpkg/status.d")) {
    status += text_in(root, "/var/lib/dpkg/status.d/" + name) + "\n\n";
  }
  data.resources[ResourceKind::package] = packages_in(status);
  data.resources[ResourceKind::unit] = units_from(unit_file_states(root));
}

/// A file of init's directory in /proc: it shows what init sees.
std::string text_of_init(const Target& target, std::string_view name) {
  std::optional<std::string> text = read_file_if_exists(fmt::format("/proc/{}/{}", target.init_pid(), name));
  if (target.dead()) {
    throw StoppedError("container has stopped");
  }
  return std::move(text).value_or("");  // no tcp6 on a kernel without IPv6
}

std::string ask_systemd(const Target& target, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"systemctl", "--no-pager"});
  return check(target, arguments, {.timeout = kWithin}).out;
}

void read_what_runs(const Target& target, MachineState::Data& data) {
  data.resources[ResourceKind::mount] = mounts_in(text_of_init(target, "mountinfo"));
  data.resources[ResourceKind::sysctl] = read_sysctls(target);
  Resources& ports = data.resources[ResourceKind::port];
  for (const std::string protocol : {"tcp", "tcp6", "udp", "udp6"}) {
    add_ports(protocol, text_of_init(target, "net/" + protocol), ports);
  }
  data.knows_units = text_of_init(target, "comm") == "systemd\n";
  if (data.knows_units) {
    in_context("asking systemd for its units", [&] {
      add_running_units(ask_systemd(target, {"list-units", "--all", "--full", "--plain", "--no-legend"}),
                        data.resources[ResourceKind::unit]);
      data.resources[ResourceKind::environment] = environment_in(ask_systemd(target, {"show-environment"}));
    });
  }
}

/// Without what only a machine that runs can tell.
Resources only_enabled(const Resources& units) {
  Resources enabled;
  for (const auto& [name, aspects] : units) {
    if (const auto at = aspects.find("enabled"); at != aspects.end()) {
      enabled[name] = {*at};
    }
  }
  return enabled;
}

}  // namespace

MachineState MachineState::capture(const Target& target, std::shared_ptr<const RootView> view) {
  Data data{.files = FileMoment(view)};
  read_databases(RootTree(view->merged, view->id_map), data);
  read_what_runs(target, data);
  data.run = read_run_files(target, view->id_map, data.owners);
  data.files = FileMoment::now(std::move(view));
  return MachineState(std::make_shared<const Data>(std::move(data)));
}

MachineState MachineState::pristine(std::shared_ptr<const RootView> view) {
  const RootTree lower(view->lower, view->id_map);
  Data data{.files = FileMoment(std::move(view))};
  read_databases(lower, data);
  return MachineState(std::make_shared<const Data>(std::move(data)));
}

StateDiff difference(const MachineState& before, const MachineState& after) {
  const MachineState::Data& was = before.data();
  const MachineState::Data& is = after.data();
  StateDiff diff{.changes = file_changes(was.files, is.files, was.owners, is.owners)};
  if (was.run && is.run) {
    std::vector<StateChange> changes = run_file_changes(*was.run, *is.run);
    const auto by_name = [](const StateChange& one, const StateChange& other) { return one.name < other.name; };
    const auto middle = static_cast<std::ptrdiff_t>(diff.changes.size());
    std::move(changes.begin(), changes.end(), std::back_inserter(diff.changes));
    std::inplace_merge(diff.changes.begin(), diff.changes.begin() + middle, diff.changes.end(), by_name);
  }
  for (const auto& [kind, resources] : was.resources) {
    if (const auto at = is.resources.find(kind); at != is.resources.end()) {
      const bool files_only = kind == ResourceKind::unit && was.knows_units != is.knows_units;
      std::vector<StateChange> changes = files_only
                                             ? resource_changes(kind, only_enabled(resources), only_enabled(at->second))
                                             : resource_changes(kind, resources, at->second);
      std::move(changes.begin(), changes.end(), std::back_inserter(diff.changes));
    }
  }
  return without_told_twice(std::move(diff));
}

}  // namespace mayfly
