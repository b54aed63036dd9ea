#include "mayfly/testrun/outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "mayfly/support/error.h"
#include "mayfly/support/signal_text.h"
#include "mayfly/testrun/framework.h"

namespace mayfly {
namespace {

using Outcome = JunitCase::Outcome;

/// The name of the case that stands for a process, where none of its tests is to blame.
constexpr const char* kProcessCase = "(process)";

TestName name_of(const JunitCase& test) { return {test.class_name, test.name}; }

bool counts_as_failure(const JunitCase& test) {
  return test.outcome == Outcome::failed || test.outcome == Outcome::error;
}

std::string describe(const ProcessEnd& end) {
  const std::string how = end.timed_out ? fmt::format("still ran after {} and was killed", to_string(*end.timed_out))
                          : end.signal == 0 ? fmt::format("exited with {}", end.exit_code)
                                            : fmt::format("killed by {}", signal_text(end.signal));
  return end.machine_failed ? fmt::format("failed with its container ('mayfly run' {})", how) : how;
}

std::string describe(const TestProgress& progress) {
  if (progress.running()) return fmt::format(" while {} ran", *progress.running());
  if (progress.ended().empty()) return " before it told of a test";
  return fmt::format(" after {} had ended", to_string(name_of(progress.ended().back())));
}

/// The case that a problem of the process is told by.
void blame(TestOutcome& outcome, const TestProcess& process, const TestProgress& progress, const ProcessEnd& end) {
  JunitCase test{.name = kProcessCase,
                 .class_name = process.suite,
                 .outcome = Outcome::error,
                 .message = outcome.problem,
                 .details = outcome.problem,
                 .out = progress.output()};
  if (progress.running()) {
    const std::size_t dot = progress.running()->find('.');
    test.class_name = progress.running()->substr(0, dot);
    test.name = dot == std::string::npos ? "" : progress.running()->substr(dot + 1);
    test.duration = end.duration;
    for (const JunitCase& other : progress.ended()) test.duration -= std::min(test.duration, other.duration);
  }
  outcome.cases.push_back(std::move(test));
}

TestOutcome without_results(const TestProcess& process, const ProcessEnd& end, const TestProgress& progress,
                            const std::string& why) {
  TestOutcome outcome{.cases = progress.ended()};
  outcome.problem = describe(end) + why + describe(progress);
  blame(outcome, process, progress, end);
  std::set<TestName> told;
  for (const JunitCase& test : outcome.cases) told.insert(name_of(test));
  for (const TestName& test : process.tests) {
    if (!told.contains(test)) outcome.not_run.push_back(test);
  }
  // A failure's text is gtest's to tell; here there is only what it printed.
  for (JunitCase& test : outcome.cases) {
    if (test.outcome == Outcome::failed && test.details.empty()) {
      test.details = test.out;
      test.message = test.out.substr(0, test.out.find('\n'));
    }
  }
  return outcome;
}

void add_output(TestOutcome& outcome, const TestProgress& progress) {
  for (JunitCase& test : outcome.cases) {
    if (test.outcome != Outcome::failed) continue;
    const auto told = std::find_if(progress.ended().rbegin(), progress.ended().rend(),
                                   [&](const JunitCase& other) { return name_of(other) == name_of(test); });
    if (told != progress.ended().rend()) test.out = told->out;
  }
}

TestOutcome outcome_of_plain(const TestProcess& process, const ProcessEnd& end, const TestProgress& progress) {
  TestOutcome outcome;
  JunitCase test{.name = process.tests.front().test, .class_name = process.suite, .duration = end.duration};
  if (end.timed_out || end.signal != 0 || end.exit_code != 0 || end.machine_failed) {
    test.outcome = end.exit_code != 0 && !end.machine_failed ? Outcome::failed : Outcome::error;
    test.message = describe(end);
    test.details = test.message + "\n" + progress.output();
    test.out = progress.output();
  }
  outcome.cases.push_back(std::move(test));
  return outcome;
}

}  // namespace

bool TestOutcome::failed() const noexcept {
  return !problem.empty() || std::any_of(cases.begin(), cases.end(), counts_as_failure);
}

TestOutcome outcome_of(const TestProcess& process, const ProcessEnd& end, const std::optional<std::string>& result,
                       const TestProgress& progress) {
  if (process.framework == TestFramework::plain) return outcome_of_plain(process, end, progress);
  if (!result) return without_results(process, end, progress, end.machine_failed ? "" : " and without a result");
  std::vector<JunitSuite> suites;
  try {
    suites = parse_result(process.framework, *result);
  } catch (const Error& error) {
    return without_results(process, end, progress, fmt::format(" and without a whole result ({})", error.message()));
  }
  TestOutcome outcome;
  std::set<TestName> told;
  for (JunitSuite& suite : suites) {
    for (JunitCase& test : suite.cases) {
      told.insert(name_of(test));
      if (test.class_name.empty()) test.class_name = process.suite;
      outcome.cases.push_back(std::move(test));
    }
    if (!suite.properties.empty()) {
      auto& properties = outcome.properties[process.suite.empty() ? suite.name : process.suite];
      properties.insert(properties.end(), suite.properties.begin(), suite.properties.end());
    }
  }
  add_output(outcome, progress);
  std::vector<TestName> missing;
  for (const TestName& test : process.tests) {
    if (!told.contains(test)) missing.push_back(test);
  }
  const bool any_failed = std::any_of(outcome.cases.begin(), outcome.cases.end(), counts_as_failure);
  const auto crashed = std::find_if(outcome.cases.begin(), outcome.cases.end(),
                                    [](const JunitCase& test) { return test.outcome == Outcome::error; });
  outcome.not_run = missing;
  if (end.signal != 0 && !end.timed_out && crashed != outcome.cases.end()) {
    // Catch2 and doctest write down the signal that ends them, with the test.
    outcome.problem = fmt::format("{} while {} ran", describe(end), to_string(name_of(*crashed)));
    return outcome;
  }
  if (end.timed_out || end.signal != 0 || end.machine_failed) {
    outcome.problem = describe(end) + " after its last test";
  } else if (end.exit_code != 0 && !any_failed) {
    outcome.problem = describe(end) + " although no test failed";
  } else if (!missing.empty()) {
    outcome.problem = fmt::format("{}, and its results lack {} of {} tests, the first of them {}", describe(end),
                                  missing.size(), process.tests.size(), to_string(missing.front()));
  }
  if (!outcome.problem.empty()) blame(outcome, process, TestProgress(), end);
  return outcome;
}

void fail_skipped(TestOutcome& outcome) {
  for (JunitCase& test : outcome.cases) {
    if (test.outcome != Outcome::skipped) continue;
    test.outcome = Outcome::failed;
    test.message = test.message.empty() ? "skipped, and MAYFLY_REQUIRE=all"
                                        : fmt::format("skipped, and MAYFLY_REQUIRE=all: {}", test.message);
    if (test.details.empty()) test.details = test.message;
  }
}

}  // namespace mayfly
