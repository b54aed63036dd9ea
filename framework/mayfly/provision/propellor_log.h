#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/provision/provision.h"
#include "mayfly/provision/verdict.h"

namespace mayfly {

/// Reads what a Propellor program prints, line by line: "web account for greeter ... done" tells of a property when it
/// is through; what comes before are lines of the commands that it ran. "web overall ... done" is the last.
class PropellorLog {
 public:
  using Time = std::chrono::system_clock::time_point;

  /// @param host what the configuration calls the container, with or without its domain
  PropellorLog(std::string host, Time started) : host_(std::move(host)), last_(started) {}

  /// @return the line as it is shown, without colours
  std::string read(std::string_view line, Time now);

  [[nodiscard]] const std::vector<TaskResult>& tasks() const noexcept { return tasks_; }
  /// Whether the final record came.
  [[nodiscard]] bool finished() const noexcept { return finished_; }

 private:
  [[nodiscard]] bool is_host(std::string_view word) const;

  std::string host_;
  Time last_;
  std::vector<TaskResult> tasks_;
  std::string said_;  // since the last property
  /// A property that has failed without a word, by its place: its complaint, on another stream, may be read after its
  /// verdict, and after those of others.
  std::optional<std::size_t> without_reason_{};
  std::string late_reason_;
  bool finished_ = false;
};

/// Why a run failed; nothing when it succeeded.
[[nodiscard]] std::optional<Verdict> propellor_failure(const PropellorLog& log, int exit_code, std::string_view output);

}  // namespace mayfly
