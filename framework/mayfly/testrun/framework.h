#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/test_framework.h"
#include "mayfly/report/junit.h"
#include "mayfly/testrun/plan.h"

namespace mayfly {

// What each framework wants to be told, and how it answers.

/// Finds out what a program is written with, without running it: by what is in the file and in its libraries.
/// @throws Error when that can't tell (a script), or several are in it
[[nodiscard]] TestFramework detect_framework(const std::filesystem::path& program);

/// Asks a program for its tests, on the host; one of the framework `plain` isn't asked: it is one test of its own name.
/// @param filter as the framework takes it; empty: all
/// @throws Error
[[nodiscard]] std::vector<ListedSuite> list_tests(const TestProgram& program, const std::string& filter,
                                                  const std::vector<std::string>& arguments, Milliseconds patience);

/// The words that make a program run these tests: GoogleTest's --gtest_filter, Catch2's test specification, doctest's
/// --dt-test-case. None for a plain program.
[[nodiscard]] std::vector<std::string> selection(TestFramework framework, const std::vector<TestName>& tests);
/// The same for a filter of the user's; none for an empty one.
[[nodiscard]] std::vector<std::string> selection(TestFramework framework, const std::string& filter);

/// The words that make a program write its results to a file; none for a plain one, which has none but its exit code.
[[nodiscard]] std::vector<std::string> result_options(TestFramework framework, const std::string& file);

/// Reads such a file. @throws Error when the text isn't whole, or isn't the framework's
[[nodiscard]] std::vector<JunitSuite> parse_result(TestFramework framework, std::string_view text);

}  // namespace mayfly
