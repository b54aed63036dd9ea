#include "mayfly/state/file_moment.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace mayfly {
namespace {

/// Longer texts aren't kept for a diff.
constexpr std::size_t kTextLimit = std::size_t{64} << 10;
/// Nor are more than these together. Paths come in order: /etc before /usr.
constexpr std::size_t kTextsLimit = std::size_t{32} << 20;

/// Where the kernel's file systems are mounted; what is beneath those mounts isn't seen in the container.
constexpr std::array<std::string_view, 3> kMountPoints{"/dev", "/proc", "/sys"};

bool is_mount_point(const std::string& path) {
  return std::find(kMountPoints.begin(), kMountPoints.end(), path) != kMountPoints.end();
}

/// "" above "/etc".
std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return path == "/" ? "" : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

FileMoment::FileMoment(std::shared_ptr<const RootView> view) : view_(std::move(view)) {}

FileMoment FileMoment::now(std::shared_ptr<const RootView> view) {
  FileMoment moment(std::move(view));
  moment.index(RootTree(moment.view_->upper), RootTree(moment.view_->merged, moment.view_->id_map));
  return moment;
}

void FileMoment::index(const RootTree& upper, const RootTree& merged) {
  std::size_t texts = 0;
  std::vector<std::string> pending{"/"};
  while (!pending.empty()) {
    const std::string path = std::move(pending.back());
    pending.pop_back();
    // The upper says where to look and when it was written, the merged view what is there.
    const FileTimes times = upper.times(path);
    WrittenFile written{.entry = merged.entry(path), .when = times.changed, .born = times.born};
    if (!written.entry) {
      written.hides_lower = true;
      if (path == "/" || !upper.entry(path)) {
        continue;  // gone meanwhile
      }
      // Whiteouts are links of one inode: its ctime is the last one's. The directory was written to for this or later.
      written.when = std::min(written.when, upper.times(parent_of(path)).modified);
    } else if (!S_ISDIR(written.entry->mode)) {
      written.hides_lower = true;
      if (S_ISREG(written.entry->mode)) {
        merged.read_content(path, *written.entry, texts < kTextsLimit ? kTextLimit : 0);
        texts += written.entry->text ? written.entry->text->size() : 0;
      }
    } else if (!is_mount_point(path)) {
      written.hides_lower = upper.is_opaque(path);
      std::vector<std::string> names = upper.names(path);
      std::reverse(names.begin(), names.end());  // the first is to be the next
      for (const std::string& name : names) {
        pending.push_back(child_path(path, name));
      }
    }
    written_.emplace(path, std::move(written));
  }
}

bool FileMoment::hides_lower(const std::string& path) const {
  const auto at = written_.find(path);
  return is_hidden(path) || (at != written_.end() && at->second.hides_lower);
}

bool FileMoment::is_hidden(const std::string& path) const {
  for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
    const auto at = written_.find(above);
    if (at != written_.end() && at->second.hides_lower) {
      return true;
    }
  }
  return false;
}

std::optional<FileEntry> FileMoment::entry(const std::string& path) const {
  if (const auto at = written_.find(path); at != written_.end()) {
    return at->second.entry;
  }
  return is_hidden(path) ? std::nullopt : lower().entry(path);
}

void FileMoment::read_content(const std::string& path, FileEntry& entry) const {
  if (entry.digest.empty()) {
    lower().read_content(path, entry, kTextLimit);
  }
}

FileTimes::TimePoint FileMoment::born(const std::string& path) const {
  const auto at = written_.find(path);
  return at == written_.end() ? FileTimes::TimePoint() : at->second.born;
}

FileTimes::TimePoint FileMoment::when(const std::string& path) const {
  for (std::string at = path; !at.empty(); at = parent_of(at)) {
    if (const auto written = written_.find(at); written != written_.end()) {
      return written->second.when;
    }
  }
  return {};
}

std::vector<std::string> FileMoment::lower_paths_below(const std::string& path) const {
  const RootTree tree = lower();
  std::vector<std::string> found;
  std::vector<std::string> pending{path};
  while (!pending.empty()) {
    const std::string directory = std::move(pending.back());
    pending.pop_back();
    for (const std::string& name : tree.names(directory)) {
      found.push_back(child_path(directory, name));
      // Of what is no directory there are no names.
      pending.push_back(found.back());
    }
  }
  return found;
}

}  // namespace mayfly
