#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mayfly/report/junit.h"
#include "mayfly/support/units.h"
#include "mayfly/testrun/plan.h"
#include "mayfly/testrun/test_progress.h"

namespace mayfly {

/// How a process ended.
struct ProcessEnd {
  int exit_code = 0;
  int signal = 0;                           ///< that killed it; 0: none
  std::optional<Milliseconds> timed_out{};  ///< it was killed after this time
  bool machine_failed = false;              ///< `mayfly run` ended so itself, before its program had
  Milliseconds duration{0};
};

/// What came out of one test process.
struct TestOutcome {
  std::vector<JunitCase> cases{};
  /// Of each suite, by its name.
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> properties{};
  std::vector<TestName> not_run{};  ///< tests that the process didn't live to begin
  std::string problem{};            ///< of the process, empty: none; a case tells it too

  [[nodiscard]] bool failed() const noexcept;
};

/// Judges a process. What the framework has written counts; a process that dies, hangs or exits without a result file
/// fails the test that had begun, and one that fails although all its tests passed fails, too:
/// ```
/// killed by SIGSEGV (Segmentation fault) while Web.ServesTheIndexPage ran
/// still ran after 15min and was killed while Web.ServesTheIndexPage ran
/// exited with 0 and without a result while Web.ServesTheIndexPage ran
/// exited with 23 although no test failed
/// failed with its container ('mayfly run' exited with 3) before it told of a test
/// ```
/// A plain program is one test, and its exit code is the result.
/// @param result the framework's result file, if there is one
/// @param progress how far its output tells that it came
[[nodiscard]] TestOutcome outcome_of(const TestProcess& process, const ProcessEnd& end,
                                     const std::optional<std::string>& result, const TestProgress& progress);

/// For MAYFLY_REQUIRE=all: a test that was skipped has failed.
void fail_skipped(TestOutcome& outcome);

}  // namespace mayfly
