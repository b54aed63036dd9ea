#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mayfly/support/units.h"

namespace mayfly {

/// One test of a JUnit report.
struct JunitCase {
  enum class Outcome {
    passed,
    failed,  ///< something isn't as it should be
    error,   ///< it couldn't be found out: no container, a broken manifest
    skipped,
  };
  std::string name;
  std::string class_name{};  ///< empty: the suite's name
  Outcome outcome = Outcome::passed;
  std::string message{};  ///< the reason in one line, when it hasn't passed
  std::string details{};  ///< the whole text of the failure
  std::string out{};      ///< output that belongs to it
  Milliseconds duration{0};
  std::vector<std::pair<std::string, std::string>> properties{};
};

/// A group of tests: for `mayfly verify`, one profile.
struct JunitSuite {
  std::string name;
  std::vector<JunitCase> cases{};
  std::vector<std::pair<std::string, std::string>> properties{};  ///< "mayfly_artifacts" -> a path
  std::optional<std::chrono::system_clock::time_point> started{};
  std::optional<Milliseconds> duration{};  ///< default: the sum of the cases
};

/// Renders a report as the XML that CI systems read (the format of Ant's JUnit task, as Jenkins and GitLab know it):
/// ```
/// <testsuites tests="1" failures="1" errors="0" skipped="0" time="1.250">
///   <testsuite name="web.toml" tests="1" failures="1" errors="0" skipped="0" time="1.250">
///     <testcase name="port 80" classname="web.toml" time="1.250">
///       <failure message="nobody listens">...</failure>
/// ```
/// The result is well-formed for any input: see xml_text().
[[nodiscard]] std::string render_junit(const std::vector<JunitSuite>& suites);

/// Makes any bytes fit for XML 1.0 in UTF-8, as element content and as attribute value: the markup characters and line
/// breaks are escaped; terminal escape sequences (colours) are left out; other control characters and bytes that are no
/// UTF-8 become U+FFFD.
/// @param in_attribute escapes line breaks and tabs too, which a parser would turn into spaces
[[nodiscard]] std::string xml_text(std::string_view bytes, bool in_attribute = false);

}  // namespace mayfly
