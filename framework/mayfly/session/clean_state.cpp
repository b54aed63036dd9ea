#include "mayfly/session/clean_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <utility>
#include <vector>

#include "mayfly/session/convergence.h"
#include "mayfly/session/processes.h"
#include "mayfly/state/ignore.h"
#include "mayfly/state/root_tree.h"

namespace mayfly {
namespace {

/// What machines do by themselves. default_ignore_rules() are about manifests and leave out what one test may well see
/// of another: logs, temporary files, caches.
std::vector<IgnoreRule> own_doings() {
  using enum ResourceKind;
  return {
      {file, "/var/log/journal/**", "the journal"},
      {file, "/var/log/{wtmp,btmp,lastlog}", "logins"},
      {file, "/{tmp,var/tmp}/systemd-private-*/**", "a service's temporary files"},
      {file, "/var/lib/systemd/{random-seed,catalog/**,timers/**,timesync/**,linger}", "systemd's own state"},
      {unit, "{user,user-runtime-dir}@*.service", "a login's"},
      {unit, "systemd-{hostnamed,localed,timedated,logind}.service", "started when it is asked something"},
      {unit, "{logrotate,man-db,systemd-tmpfiles-clean}.service", "started by its timer"},
      {mount, "/run/{user,credentials}/**", "systemd's own mounts"},
  };
}

/// File systems in memory that a machine may have for what is temporary. Where they are no mounts, MachineState knows
/// what is there.
constexpr const char* kTemporary[] = {"tmp", "var/tmp", "dev/shm"};

UniqueFd open_in(const Target& target, const char* directory) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, target.root_fd(), directory, &how, sizeof how)));
}

bool on_one_file_system(int one, int other) {
  struct stat first {
  }, second{};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev;
}

void add_files(const RootTree& tree, const std::string& top, std::map<std::string, std::string>& things) {
  std::vector<std::string> pending{"/"};
  while (!pending.empty()) {
    const std::string directory = std::move(pending.back());
    pending.pop_back();
    for (const std::string& name : tree.names(directory)) {
      const std::string path = child_path(directory, name);
      std::optional<FileEntry> entry = name.starts_with("systemd-private-") ? std::nullopt : tree.entry(path);
      if (!entry) {
        continue;
      }
      if (S_ISREG(entry->mode)) {
        tree.read_content(path, *entry);
      } else if (S_ISDIR(entry->mode)) {
        pending.push_back(path);
      }
      things[fmt::format("file /{}{}", top, path)] =
          fmt::format("{:o} {} {} {} {}", entry->mode, entry->uid, entry->gid, entry->digest, entry->link_target);
    }
  }
}

/// What MachineState leaves out: processes by number and command, and temporary files, each with what there is to tell
/// of it.
std::map<std::string, std::string> other_things(const Container& container) {
  std::map<std::string, std::string> things;
  for (const auto& [pid, process] : processes_of(container.target())) {
    if (process.state != "Z") {
      things.emplace(fmt::format("process {}: {}", pid, process.command), "");
    }
  }
  for (const char* top : kTemporary) {
    const UniqueFd directory = open_in(container.target(), top);
    if (directory && !on_one_file_system(directory.get(), container.target().root_fd())) {
      add_files(RootTree(directory), top, things);
    }
  }
  return things;
}

}  // namespace

CleanState::CleanState(const Container& container)
    : state_(container.capture_state()), others_(other_things(container)) {}

std::string CleanState::changes(const Container& container) const {
  const StateDiff diff = difference(state_, container.capture_state());
  std::string text = render(ignoring(diff, ignore_rules(container.profile(), own_doings())));
  const std::map<std::string, std::string> now = other_things(container);
  for (const auto& [thing, what] : now) {
    const auto before = others_.find(thing);
    if (before == others_.end() || before->second != what) {
      text += fmt::format("{:<9} {}\n", before == others_.end() ? "added" : "modified", thing);
    }
  }
  for (const auto& [thing, what] : others_) {
    if (!now.contains(thing)) {
      text += fmt::format("{:<9} {}\n", "removed", thing);
    }
  }
  return text;
}

}  // namespace mayfly
