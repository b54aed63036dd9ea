#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// A suite as `--gtest_list_tests` names it; parameters and types belong to the names ("Both/OnEach", "IsUp/bookworm").
struct ListedSuite {
  std::string name;
  std::vector<std::string> tests{};
  friend bool operator==(const ListedSuite&, const ListedSuite&) = default;
};

/// Reads what a GoogleTest program prints with `--gtest_list_tests`. Whatever its main() prints before that is passed
/// over; a suite without tests is none.
/// ```
/// Running main() from gtest_main.cc
/// Web.
///   ServesTheIndexPage
/// Both/OnEach.
///   IsUp/bookworm  # GetParam() = "bookworm.toml"
/// Typed/0.  # TypeParam = int
///   Fits
/// ```
[[nodiscard]] std::vector<ListedSuite> parse_listing(std::string_view text);

/// Whether gtest leaves a test out unless it is given --gtest_also_run_disabled_tests: a name or a part of it after '/'
/// begins with "DISABLED_".
[[nodiscard]] bool is_disabled(std::string_view suite, std::string_view test);

}  // namespace mayfly
