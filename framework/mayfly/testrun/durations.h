#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "mayfly/support/paths.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// How long the suites of a program took when they ran last: Paths::durations(), a file a program. It only makes runs
/// shorter, so that what can't be read or written, by another user say, is no error.
class Durations {
 public:
  /// @param program absolute
  Durations(const Paths& paths, const std::filesystem::path& program);

  /// @param name of the process: TestProcess::name
  [[nodiscard]] std::optional<Milliseconds> of(const std::string& name) const;
  void remember(const std::string& name, Milliseconds duration);
  /// Keeps what was remembered; of two runs at once the later one counts.
  void save() const noexcept;

 private:
  std::filesystem::path file_;
  std::filesystem::path program_;
  std::map<std::string, Milliseconds> known_;
};

}  // namespace mayfly
