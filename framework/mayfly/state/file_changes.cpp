#include "mayfly/state/file_changes.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <optional>
#include <set>
#include <utility>

#include "mayfly/state/content_digest.h"
#include "mayfly/state/text_diff.h"

namespace mayfly {
namespace {

constexpr mode_t kPermissions = 07777;

bool is_device(const FileEntry& entry) { return S_ISCHR(entry.mode) || S_ISBLK(entry.mode); }

std::string device_text(const FileEntry& entry) {
  return is_device(entry) ? fmt::format("{}:{}", major(entry.device), minor(entry.device)) : std::string();
}

std::string name_of(std::uint32_t id, const std::map<std::uint32_t, std::string>& names) {
  const auto at = names.find(id);
  return at == names.end() ? std::to_string(id) : at->second;
}

/// Printable as it is, or hexadecimal; short.
std::string shown(const std::string& value) {
  constexpr std::size_t kMost = 64;
  std::string text;
  const bool printable = is_text(value) && value.find_first_of("\n\r\t\x1b") == std::string::npos;
  for (const char c : std::string_view(value).substr(0, kMost)) {
    text += printable ? std::string(1, c) : fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return value.size() > kMost ? text + "..." : text;
}

class FileComparison {
 public:
  FileComparison(const FileMoment& before, const FileMoment& after, const OwnerNames& names_before,
                 const OwnerNames& names_after)
      : before_(before), after_(after), names_before_(names_before), names_after_(names_after) {}

  std::vector<StateChange> run() {
    for (const FileMoment* moment : {&before_, &after_}) {
      for (const auto& [path, written] : moment->written()) {
        look_at(path);
        // Where only one of the two sees the lowers, all of theirs is to be compared, too.
        if (path != "/" && before_.hides_lower(path) != after_.hides_lower(path)) {
          for (const std::string& below : moment->lower_paths_below(path)) {
            look_at(below);
          }
        }
      }
    }
    std::vector<StateChange> changes;
    changes.reserve(changes_.size());
    for (auto& [path, change] : changes_) {
      changes.push_back(std::move(change));
    }
    return changes;
  }

 private:
  void look_at(const std::string& path) {
    if (!seen_.insert(path).second) {
      return;
    }
    // The mode of the root is its writable layer's, not its image's.
    if (path == "/" && (!before_.written().contains(path) || !after_.written().contains(path))) {
      return;
    }
    std::optional<FileEntry> was = before_.entry(path);
    std::optional<FileEntry> is = after_.entry(path);
    StateChange change{.resource = ResourceKind::file, .name = path, .when = after_.when(path)};
    if (was && is) {
      change.kind = StateChange::Kind::modified;
      compare(path, *was, *is, change);
      if (change.aspects.empty()) {
        return;
      }
    } else if (is) {
      change.kind = StateChange::Kind::added;
      change.aspects = describe(*is, names_after_);
      if (const auto born = after_.born(path); S_ISDIR(is->mode) && born != decltype(born)()) {
        change.when = born;
      }
    } else if (was) {
      change.kind = StateChange::Kind::removed;
      for (AspectChange& aspect : change.aspects = describe(*was, names_before_)) {
        std::swap(aspect.before, aspect.after);
      }
    } else {
      return;
    }
    changes_.emplace(path, std::move(change));
  }

  /// What is worth telling of one that came.
  static std::vector<AspectChange> describe(const FileEntry& entry, const OwnerNames& names) {
    std::vector<AspectChange> aspects;
    if (!S_ISREG(entry.mode)) {
      aspects.push_back({.aspect = "type", .after = type_text(entry)});
    }
    if (S_ISLNK(entry.mode)) {
      aspects.push_back({.aspect = "target", .after = entry.link_target});
    } else {
      aspects.push_back({.aspect = "mode", .after = mode_text(entry)});
    }
    if (is_device(entry)) {
      aspects.push_back({.aspect = "device", .after = device_text(entry)});
    }
    if (entry.uid != 0 || entry.gid != 0) {
      aspects.push_back({.aspect = "owner", .after = owner_text(entry, names)});
    }
    for (const auto& [name, value] : entry.xattrs) {
      aspects.push_back({.aspect = "xattr " + name, .after = shown(value)});
    }
    return aspects;
  }

  void compare(const std::string& path, FileEntry& was, FileEntry& is, StateChange& change) const {
    const auto differs = [&change](std::string aspect, std::string before, std::string after) {
      change.aspects.push_back({std::move(aspect), std::move(before), std::move(after)});
    };
    if ((was.mode & S_IFMT) != (is.mode & S_IFMT)) {
      differs("type", type_text(was), type_text(is));
      if (S_ISLNK(was.mode) || S_ISLNK(is.mode)) {
        differs("target", was.link_target, is.link_target);
      }
    } else if (S_ISREG(was.mode)) {
      if (was.size != is.size || digest(before_, path, was) != digest(after_, path, is)) {
        differs("content", "", "");
        change.text_diff = text_diff_of(path, was, is);
      }
    } else if (S_ISLNK(was.mode) && was.link_target != is.link_target) {
      differs("target", was.link_target, is.link_target);
    } else if (is_device(was) && was.device != is.device) {
      differs("device", device_text(was), device_text(is));
    }
    // A symlink's mode means nothing.
    if (!S_ISLNK(was.mode) && !S_ISLNK(is.mode) && ((was.mode ^ is.mode) & kPermissions) != 0) {
      differs("mode", mode_text(was), mode_text(is));
    }
    if (was.uid != is.uid || was.gid != is.gid) {
      differs("owner", owner_text(was, names_before_), owner_text(is, names_after_));
    }
    compare_xattrs(was, is, change);
  }

  static void compare_xattrs(const FileEntry& was, const FileEntry& is, StateChange& change) {
    std::set<std::string> names;
    for (const auto* entry : {&was, &is}) {
      for (const auto& [name, value] : entry->xattrs) {
        names.insert(name);
      }
    }
    const auto value_in = [](const FileEntry& entry, const std::string& name) {
      const auto at = entry.xattrs.find(name);
      return at == entry.xattrs.end() ? std::optional<std::string>() : std::optional(at->second);
    };
    for (const std::string& name : names) {
      const auto before = value_in(was, name);
      const auto after = value_in(is, name);
      if (before != after) {
        change.aspects.push_back({"xattr " + name, before ? shown(*before) : "", after ? shown(*after) : ""});
      }
    }
  }

  static const std::string& digest(const FileMoment& moment, const std::string& path, FileEntry& entry) {
    moment.read_content(path, entry);
    return entry.digest;
  }

  /// Only of what everybody may read: reports are no place for secrets.
  [[nodiscard]] std::string text_diff_of(const std::string& path, FileEntry& was, FileEntry& is) const {
    before_.read_content(path, was);
    after_.read_content(path, is);
    return was.text && is.text ? unified_diff(*was.text, *is.text) : std::string();
  }

  const FileMoment& before_;
  const FileMoment& after_;
  const OwnerNames& names_before_;
  const OwnerNames& names_after_;
  std::set<std::string> seen_;
  std::map<std::string, StateChange> changes_;
};

}  // namespace

std::string type_text(const FileEntry& entry) {
  switch (entry.mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFCHR:
      return "character device";
    case S_IFBLK:
      return "block device";
    case S_IFIFO:
      return "fifo";
    default:
      return "socket";
  }
}

std::string mode_text(const FileEntry& entry) { return fmt::format("{:04o}", entry.mode & kPermissions); }

std::string owner_text(const FileEntry& entry, const OwnerNames& names) {
  return fmt::format("{}:{}", name_of(entry.uid, names.users), name_of(entry.gid, names.groups));
}

std::vector<StateChange> file_changes(const FileMoment& before, const FileMoment& after, const OwnerNames& names_before,
                                      const OwnerNames& names_after) {
  return FileComparison(before, after, names_before, names_after).run();
}

}  // namespace mayfly
