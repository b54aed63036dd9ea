#include "mayfly/report/tap.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/report/plain_text.h"

namespace mayfly {
namespace {

using Outcome = JunitCase::Outcome;

/// On one line, where '#' would begin a directive.
std::string description(std::string_view bytes) {
  std::string text;
  for (const char c : plain_text(bytes)) {
    if (c == '#' || c == '\\') text += '\\';
    text += c == '\n' || c == '\r' ? ' ' : c;
  }
  return text;
}

/// A double-quoted scalar of YAML.
std::string yaml_string(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : plain_text(bytes)) {
    if (c == '"' || c == '\\') text += '\\';
    text += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  }
  return text + '"';
}

/// A list with an element for each line, below a key that is indented by two. Not a literal block: prove(1) takes none
/// whose lines are indented differently.
std::string list_of_lines(std::string_view text) {
  std::string list = "\n";
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    list += fmt::format("    - {}\n", yaml_string(text.substr(start, end - start)));
    start = end + 1;
  }
  return list;
}

std::string diagnosis(const JunitCase& test) {
  std::string text = fmt::format("  ---\n  message: {}\n  severity: {}\n", yaml_string(test.message),
                                 test.outcome == Outcome::error ? "error" : "fail");
  if (!test.details.empty()) text += "  details:" + list_of_lines(test.details);
  if (!test.out.empty()) text += "  output:" + list_of_lines(test.out);
  return text + "  ...\n";
}

std::string render(const JunitCase& test, const JunitSuite& suite, std::size_t number) {
  const bool passed = test.outcome == Outcome::passed || test.outcome == Outcome::skipped;
  std::string line =
      fmt::format("{} {} - {}: {}", passed ? "ok" : "not ok", number, description(suite.name), description(test.name));
  if (test.outcome == Outcome::skipped) {
    line += fmt::format(" # SKIP {}", description(test.message));
  } else if (test.duration.count() > 0) {
    line += fmt::format(" # time={}ms", test.duration.count());
  }
  line += '\n';
  return passed ? line : line + diagnosis(test);
}

}  // namespace

std::string render_tap(const std::vector<JunitSuite>& suites) {
  std::string tests;
  std::size_t number = 0;
  for (const JunitSuite& suite : suites) {
    for (const JunitCase& test : suite.cases) tests += render(test, suite, ++number);
  }
  return fmt::format("TAP version 13\n1..{}\n{}", number, tests);
}

}  // namespace mayfly
