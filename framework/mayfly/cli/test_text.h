#pragma once

#include <string>
#include <vector>

#include "mayfly/cli/console.h"
#include "mayfly/testrun/merged_report.h"
#include "mayfly/testrun/test_run.h"

namespace mayfly {

// What `mayfly test` prints.

/// One process that has ended: `passed   web_test.Web       3 tests               412ms`
[[nodiscard]] std::string render_line(const FinishedProcess& done, std::size_t name_width, const Console& console);

/// The lines at the bottom of the terminal:
/// ```
/// web_test.Web  running  3.2s  ServesTheIndexPage
/// 3 of 12 done, 1 running, 1 failed
/// ```
[[nodiscard]] std::vector<std::string> live_lines(const std::vector<RunningTest>& running, std::size_t done,
                                                  std::size_t total, std::size_t failed, std::size_t columns,
                                                  const Console& console);

struct TestTotals {
  std::size_t disabled = 0;
  std::size_t not_started = 0;                 ///< processes
  std::vector<std::string> taken_for_plain{};  ///< programs
  Milliseconds took{0};
};

/// The failures once more, why tests were skipped, and the totals:
/// ```
/// failed   web_test: Web.ServesTheIndexPage
///          web_test.cpp:9: Value of: run({"curl", "-fsS", "http://localhost/"})
///          artifacts: /build/mayfly-artifacts/Web.ServesTheIndexPage
///          again: /build/web_test --gtest_filter=Web.ServesTheIndexPage
/// 3 tests: 2 passed, 1 failed in 1.25s
/// ```
[[nodiscard]] std::string render_summary(const std::vector<FinishedProcess>& finished, const TestTotals& totals,
                                         const Console& console);

/// The sums of the phases:
/// ```
/// SUITE         TESTS  IMAGE  LAYER  BOOT  READY  TEST  TEARDOWN
/// web_test.Web      3    1ms    4ms  24ms  520ms  36ms      16ms
/// ```
[[nodiscard]] std::string render_times(const std::vector<MergedSuite>& suites);

}  // namespace mayfly
