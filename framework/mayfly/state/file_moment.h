#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/layer/root_view.h"
#include "mayfly/state/root_tree.h"

namespace mayfly {

/// What a container had written at one path.
struct WrittenFile {
  std::optional<FileEntry> entry{};  ///< none: it has removed what its lowers have there
  bool hides_lower = false;          ///< nothing of the lowers shows through below this path
  FileTimes::TimePoint when{};       ///< last written; at the latest, for what was removed
  FileTimes::TimePoint born{};       ///< first written; the epoch where that is unknown
};

/// A container's files at one moment: what it had written by then is remembered, all else is as in its lowers.
class FileMoment {
 public:
  /// Before the first write.
  explicit FileMoment(std::shared_ptr<const RootView> view);
  /// Now. Reads all that the container has written.
  /// @throws SystemError
  [[nodiscard]] static FileMoment now(std::shared_ptr<const RootView> view);

  using Written = std::map<std::string, WrittenFile>;
  [[nodiscard]] const Written& written() const noexcept { return written_; }

  /// Without digest and text for what is only in the lowers.
  [[nodiscard]] std::optional<FileEntry> entry(const std::string& path) const;
  /// Fills them in.
  void read_content(const std::string& path, FileEntry& entry) const;
  /// When a directory that is new was made: what comes into it later changes its other times.
  [[nodiscard]] FileTimes::TimePoint born(const std::string& path) const;
  /// The time of the last write at a path or, if there was none, at the nearest directory above it.
  [[nodiscard]] FileTimes::TimePoint when(const std::string& path) const;

  /// Whether the lowers' files below a path, which is written itself, can't be seen.
  [[nodiscard]] bool hides_lower(const std::string& path) const;
  /// All paths below a path in the lowers, hidden or not.
  [[nodiscard]] std::vector<std::string> lower_paths_below(const std::string& path) const;

 private:
  [[nodiscard]] RootTree lower() const { return RootTree(view_->lower, view_->id_map); }
  [[nodiscard]] bool is_hidden(const std::string& path) const;
  void index(const RootTree& upper, const RootTree& merged);
  std::shared_ptr<const RootView> view_;
  Written written_;
};

}  // namespace mayfly
