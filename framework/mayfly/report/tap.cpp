#include "mayfly/report/tap.h"

#include <fmt/format.h>

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

/// A double-quoted scalar of YAML, on one line. Neither a list with an element for each line, of which prove(1) takes
/// `- "word: ..."` for a table; nor a literal block, of which it takes none whose lines are indented differently.
std::string yaml_string(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : plain_text(bytes)) {
    if (c == '\n') {
      text += "\\n";
    } else if (c == '\r' || c == '\t') {
      text += c == '\r' ? "\\r" : "\\t";
    } else {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text + '"';
}

std::string diagnosis(const JunitCase& test) {
  std::string text = fmt::format("  ---\n  message: {}\n  severity: {}\n", yaml_string(test.message),
                                 test.outcome == Outcome::error ? "error" : "fail");
  if (!test.details.empty()) text += fmt::format("  details: {}\n", yaml_string(test.details));
  if (!test.out.empty()) text += fmt::format("  output: {}\n", yaml_string(test.out));
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
