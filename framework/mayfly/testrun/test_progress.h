#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/test_framework.h"
#include "mayfly/report/junit.h"

namespace mayfly {

/// Follows a test process by its output: which test runs, and how those went that have ended. It is all that there is
/// to know of a process that dies before it has written its results. With --gtest_brief=1 gtest tells only of failures.
/// The other frameworks tell nothing while they run: of their programs there is only the output.
/// ```
/// [ RUN      ] Web.ServesTheIndexPage
/// [       OK ] Web.ServesTheIndexPage (12 ms)
/// ```
class TestProgress {
 public:
  TestProgress() = default;
  explicit TestProgress(TestFramework framework) : framework_(framework) {}

  /// The next piece of output, of any size.
  void read(std::string_view piece);

  /// "Web.ServesTheIndexPage": begun, and not ended.
  [[nodiscard]] const std::optional<std::string>& running() const noexcept { return running_; }
  /// What has ended, in that order, by its outcome and duration; `out` is a failed test's own output, its last 64 KiB.
  [[nodiscard]] const std::vector<JunitCase>& ended() const noexcept { return ended_; }
  /// What the running test has written, or what came after the last one: its last 64 KiB.
  [[nodiscard]] std::string output() const { return output_ + line_; }

 private:
  void take_line(std::string_view line);
  void keep(std::string_view line);
  TestFramework framework_ = TestFramework::gtest;
  std::string line_;  ///< not yet ended
  std::optional<std::string> running_;
  std::vector<JunitCase> ended_;
  std::string output_;
};

}  // namespace mayfly
