#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mayfly/report/junit.h"

namespace mayfly {

/// Reads the file that gtest writes for `--gtest_output=xml:FILE`: a suite for each, with its tests that were run, and
/// what RecordProperty() said as properties of both. A failure outside of all tests, as of an environment's SetUp(), is
/// a case "NonTestSuiteFailure" without a class.
/// @throws Error when the text isn't whole, or isn't gtest's
[[nodiscard]] std::vector<JunitSuite> parse_gtest_xml(std::string_view text);

}  // namespace mayfly
