#pragma once

#include <string>
#include <string_view>

#include "mayfly/exec/target.h"

namespace mayfly {

/// A directory for a step's own files in the container, below /run, which isn't part of a machine's state; removed with
/// the object, so that nothing of it gets into a frozen layer where /run is on disk.
class ContainerScratch {
 public:
  /// @param open_to_all for tools that work as several users; else only root may look into it
  explicit ContainerScratch(const Target& target, bool open_to_all = false);
  ContainerScratch(const ContainerScratch&) = delete;
  ContainerScratch& operator=(const ContainerScratch&) = delete;
  ~ContainerScratch();

  /// Its path in the container.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  const Target target_;
  std::string path_;
};

}  // namespace mayfly
