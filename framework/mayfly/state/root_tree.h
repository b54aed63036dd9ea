#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/layer/id_map.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A file, directory, link or device as it was when it was looked at. No times: they are no state.
struct FileEntry {
  mode_t mode = 0;  ///< type and permission bits
  uid_t uid = 0;    ///< as the container numbers them
  gid_t gid = 0;
  std::uint64_t size = 0;  ///< of a regular file
  dev_t device = 0;        ///< of a device node
  std::string link_target{};
  std::map<std::string, std::string> xattrs{};  ///< what overlayfs keeps for itself isn't among them
  std::string digest{};                         ///< of a regular file's content, once that has been read
  std::optional<std::string> text{};            ///< the content, where it is short UTF-8 that everybody may read
};

struct FileTimes {
  using TimePoint = std::chrono::system_clock::time_point;
  TimePoint modified{};  ///< mtime
  TimePoint changed{};   ///< ctime
  TimePoint born{};      ///< the epoch where the file system doesn't know
};

/// Reads below a directory that others may be writing to. Follows no symlink and enters no mount, so no path leads out;
/// what has vanished, or can't be reached so, counts as absent. Opens regular files only, and holds no descriptors.
///
/// Paths are absolute, with the directory as their root.
class RootTree {
 public:
  /// @param root O_PATH, stays the caller's
  /// @param id_map how the owners are shifted
  explicit RootTree(const UniqueFd& root, std::optional<IdMap> id_map = {}) : root_(root.get()), id_map_(id_map) {}

  /// Without its content. Nothing when there is no such file. @throws SystemError
  [[nodiscard]] std::optional<FileEntry> entry(const std::string& path) const;

  /// Fills in digest and size of a regular file, and its text when that has at most `text_limit` bytes. A file that is
  /// written to meanwhile gives what could be read; one that can't be read a digest that says why.
  void read_content(const std::string& path, FileEntry& entry, std::size_t text_limit = 0) const;

  /// The whole content of a regular file; nothing when there is none. @throws SystemError
  [[nodiscard]] std::optional<std::string> content(const std::string& path) const;

  /// The names in a directory, sorted; empty when there is none.
  [[nodiscard]] std::vector<std::string> names(const std::string& path) const;

  /// All the epoch when there is no such file. @throws SystemError
  [[nodiscard]] FileTimes times(const std::string& path) const;

  /// Whether a directory of an overlay's upper hides what the lowers have there.
  [[nodiscard]] bool is_opaque(const std::string& path) const;

 private:
  [[nodiscard]] UniqueFd open(const std::string& path, int flags) const;
  int root_;
  std::optional<IdMap> id_map_;
};

/// "/etc" and "nginx" -> "/etc/nginx".
[[nodiscard]] std::string child_path(const std::string& directory, const std::string& name);

}  // namespace mayfly
