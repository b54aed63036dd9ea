#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "mayfly/report/junit.h"
#include "mayfly/testrun/test_run.h"

namespace mayfly {

/// One suite of one program, whatever processes it was run in.
struct MergedSuite {
  std::string name;  ///< "web_test.Web"
  JunitSuite junit;
  /// Sums over its tests, by the names of session/timeline.h: "boot" -> 24 ms. "test" is there for all.
  std::map<std::string, std::chrono::microseconds> phases{};
};

/// Joins what the processes told: a suite of a program comes once, its tests that were never begun are skipped ones
/// that say why, and the sums of its phases are its properties ("mayfly_boot_ms").
[[nodiscard]] std::vector<MergedSuite> merge(const std::vector<FinishedProcess>& processes);

}  // namespace mayfly
