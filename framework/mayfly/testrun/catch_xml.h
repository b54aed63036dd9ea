#pragma once

#include <string_view>
#include <vector>

#include "mayfly/report/junit.h"
#include "mayfly/testrun/listing.h"

namespace mayfly {

// The XML of Catch2 and of doctest, whose reporters are much alike. It tells every test case once, with all its
// sections and its duration, also one without an assertion, which is missing in Catch2's JUnit report; and it is whole
// when a signal ends the program.

/// Reads what `--reporter xml` of Catch2 (2 and 3) and `--dt-reporters=xml` of doctest write: the cases that were run,
/// a suite for each of doctest's (without a name for the others). A case in which a signal ended the program is an
/// error.
/// @throws Error when the text isn't whole, or isn't of these
[[nodiscard]] std::vector<JunitSuite> parse_catch_xml(std::string_view text);

/// Reads what the same reporters print for a listing. What a program prints before is passed over.
/// @throws Error
[[nodiscard]] std::vector<ListedSuite> parse_catch_listing(std::string_view text);

}  // namespace mayfly
