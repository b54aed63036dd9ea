#include "mayfly/state/run_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr std::array<std::string_view, 9> kOthersOwn{"/credentials", "/dbus", "/initctl", "/log", "/mount",
                                                     "/systemd",     "/udev", "/user",    "/utmp"};

bool is_others_own(const std::string& path) {
  return path.starts_with("/mayfly") || std::find(kOthersOwn.begin(), kOthersOwn.end(), path) != kOthersOwn.end();
}

UniqueFd open_beneath(const UniqueFd& root, const char* name) {
  struct open_how how {};
  how.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;  // mounts are entered
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root.get(), name, &how, sizeof how)));
}

Aspects aspects_of(const FileEntry& entry, const OwnerNames& owners) {
  Aspects aspects{{"mode", mode_text(entry)}};
  if (S_ISREG(entry.mode)) {
    aspects["content"] = entry.digest;
  } else {
    aspects["type"] = type_text(entry);
  }
  if (S_ISLNK(entry.mode)) {
    aspects["target"] = entry.link_target;
    aspects.erase("mode");
  }
  if (entry.uid != 0 || entry.gid != 0) {
    aspects["owner"] = owner_text(entry, owners);
  }
  return aspects;
}

}  // namespace

std::optional<RunFiles> read_run_files(const Target& target, const std::optional<IdMap>& id_map,
                                       const OwnerNames& owners) {
  UniqueFd root;
  try {
    root = open_file(fmt::format("/proc/{}/root", target.init_pid()), O_PATH | O_DIRECTORY);
  } catch (const SystemError&) {
    if (target.dead()) {
      throw StoppedError("container has stopped");
    }
    throw;
  }
  const UniqueFd run = open_beneath(root, "run");
  struct stat of_run {
  }, of_root{};
  if (!run || ::fstat(run.get(), &of_run) != 0 || ::fstat(root.get(), &of_root) != 0 ||
      of_run.st_dev == of_root.st_dev) {
    return std::nullopt;
  }
  const RootTree tree(run, id_map);
  RunFiles found;
  std::vector<std::string> pending{"/"};
  while (!pending.empty()) {
    const std::string directory = std::move(pending.back());
    pending.pop_back();
    for (const std::string& name : tree.names(directory)) {
      const std::string path = child_path(directory, name);
      std::optional<FileEntry> entry = is_others_own(path) ? std::nullopt : tree.entry(path);
      if (!entry) {
        continue;
      }
      if (S_ISREG(entry->mode)) {
        tree.read_content(path, *entry);
      } else if (S_ISDIR(entry->mode)) {
        pending.push_back(path);
      }
      found.files["/run" + path] = aspects_of(*entry, owners);
      found.changed["/run" + path] = tree.times(path).changed;
    }
  }
  return found;
}

std::vector<StateChange> run_file_changes(const RunFiles& before, const RunFiles& after) {
  std::vector<StateChange> changes = resource_changes(ResourceKind::file, before.files, after.files);
  for (StateChange& change : changes) {
    const bool modified = change.kind == StateChange::Kind::modified;
    std::erase_if(change.aspects, [&](const AspectChange& aspect) { return aspect.aspect == "content" && !modified; });
    for (AspectChange& aspect : change.aspects) {
      if (aspect.aspect == "content") {
        aspect = {.aspect = "content"};
      }
    }
    if (const auto at = after.changed.find(change.name); at != after.changed.end()) {
      change.when = at->second;
    }
  }
  return changes;
}

}  // namespace mayfly
