#include "mayfly/testrun/framework.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/exec/host_program.h"
#include "mayfly/support/error.h"
#include "mayfly/support/lines.h"
#include "mayfly/support/subprocess.h"
#include "mayfly/testrun/catch_xml.h"
#include "mayfly/testrun/gtest_xml.h"

namespace mayfly {
namespace {

/// Joins names, each escaped for the framework, by commas.
std::string joined(const std::vector<TestName>& tests, std::string_view escaped) {
  std::string text;
  for (const TestName& test : tests) {
    if (!text.empty()) text += ',';
    for (const char c : test.test) {
      if (escaped.find(c) != std::string_view::npos) text += '\\';
      text += c;
    }
  }
  return text;
}

/// Catch2 2 has the number of its tests for exit code, and no XML for a list; 3 has.
std::vector<ListedSuite> list_catch2(std::vector<std::string> argv, Milliseconds patience) {
  argv.insert(argv.end(), {"--list-tests", "--reporter", "xml"});
  const ProcessResult xml = run_process(argv, {.timeout = patience});
  if (xml.out.find("<MatchingTests") != std::string::npos) return parse_catch_listing(xml.out);
  argv.resize(argv.size() - 3);
  argv.emplace_back("--list-test-names-only");
  const ProcessResult names = run_process(argv, {.timeout = patience});
  ListedSuite all;
  for (const std::string_view line : lines_of(names.out)) {
    // A name that begins with '#' comes in quotes.
    const bool quoted = line.starts_with("\"#") && line.ends_with('"');
    if (!line.empty()) all.tests.emplace_back(quoted ? line.substr(1, line.size() - 2) : line);
  }
  const auto count = static_cast<int>(std::min<std::size_t>(all.tests.size(), 255));
  if (names.exit_code != count) {
    throw Error(fmt::format("'{}' exited with {} and printed {} names: {}", shell_quote(argv), names.exit_code,
                            all.tests.size(), tail(names.out + names.err, 3)));
  }
  if (all.tests.empty()) return {};
  return {all};
}

}  // namespace

TestFramework detect_framework(const std::filesystem::path& program) {
  std::vector<TestFramework> found = frameworks_in(program);
  try {
    if (found.empty()) found = frameworks_in(program, libraries_of(program));
  } catch (const Error& error) {
    Error unknown(fmt::format("which framework its tests are written with isn't known: {}", error.message()));
    unknown.set_hint("say it, such as --framework gtest; in a container only compiled programs of the host run");
    throw unknown;
  }
  if (found.size() > 1) {
    std::vector<std::string_view> names;
    names.reserve(found.size());
    for (const TestFramework framework : found) names.push_back(name_of(framework));
    Error error(fmt::format("'{}' has several frameworks in it: {}", program.string(), fmt::join(names, ", ")));
    error.set_hint("say which one its tests are written with, such as --framework gtest");
    throw error;
  }
  return found.empty() ? TestFramework::plain : found.front();
}

std::vector<ListedSuite> list_tests(const TestProgram& program, const std::string& filter,
                                    const std::vector<std::string>& arguments, Milliseconds patience) {
  if (program.framework == TestFramework::plain) {
    if (!filter.empty()) throw Error("it is a plain program, one test: a filter has nothing to choose from");
    return {{.name = {}, .tests = {program.file.filename().string()}}};
  }
  std::vector<std::string> argv{program.file.string()};
  const std::vector<std::string> chosen = selection(program.framework, filter);
  argv.insert(argv.end(), chosen.begin(), chosen.end());
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  if (program.framework == TestFramework::catch2) return list_catch2(argv, patience);
  if (program.framework == TestFramework::doctest) {
    argv.insert(argv.end(), {"--dt-list-test-cases", "--dt-reporters=xml"});
    return parse_catch_listing(check_process(argv, {.timeout = patience}).out);
  }
  argv.emplace_back("--gtest_list_tests");
  return parse_listing(check_process(argv, {.timeout = patience}).out);
}

std::vector<std::string> selection(TestFramework framework, const std::vector<TestName>& tests) {
  switch (framework) {
    case TestFramework::gtest:
      return {"--gtest_filter=" + filter_for(tests)};
    case TestFramework::catch2:
      return {joined(tests, ",[]\"\\~")};
    case TestFramework::doctest:
      if (!tests.front().suite.empty() && std::all_of(tests.begin(), tests.end(), [&](const TestName& test) {
            return test.suite == tests.front().suite;
          })) {
        return {"--dt-case-sensitive=true", "--dt-test-suite=" + joined({{{}, tests.front().suite}}, ",\\"),
                "--dt-test-case=" + joined(tests, ",\\")};
      }
      return {"--dt-case-sensitive=true", "--dt-test-case=" + joined(tests, ",\\")};
    case TestFramework::plain:
      break;
  }
  return {};
}

std::vector<std::string> selection(TestFramework framework, const std::string& filter) {
  if (filter.empty()) return {};
  switch (framework) {
    case TestFramework::gtest:
      return {"--gtest_filter=" + filter};
    case TestFramework::catch2:
      return {filter};
    case TestFramework::doctest:
      return {"--dt-test-case=" + filter};
    case TestFramework::plain:
      break;
  }
  return {};
}

std::vector<std::string> result_options(TestFramework framework, const std::string& file) {
  switch (framework) {
    case TestFramework::gtest:
      return {"--gtest_output=xml:" + file};
    case TestFramework::catch2:
      return {"--reporter", "xml", "--durations", "yes", "--out", file};
    case TestFramework::doctest:
      return {"--dt-reporters=xml", "--dt-duration=true", "--dt-out=" + file};
    case TestFramework::plain:
      break;
  }
  return {};
}

std::vector<JunitSuite> parse_result(TestFramework framework, std::string_view text) {
  return framework == TestFramework::gtest ? parse_gtest_xml(text) : parse_catch_xml(text);
}

}  // namespace mayfly
