#include "mayfly/scenario/report.h"

#include <algorithm>

namespace mayfly {
namespace {

using Outcome = StepReport::Outcome;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

JunitCase junit_case(const StepReport& step) {
  JunitCase test{.name = std::string(to_string(step.step)), .duration = step.duration};
  switch (step.outcome) {
    case Outcome::ok:
    case Outcome::cached:
      break;
    case Outcome::skipped:
      test.outcome = JunitCase::Outcome::skipped;
      test.message = step.detail;
      break;
    case Outcome::failed:
      test.outcome = step.by_host ? JunitCase::Outcome::error : JunitCase::Outcome::failed;
      test.message = step.error.empty() ? step.detail : first_line(step.error);
      test.details = step.error;
      break;
  }
  if (step.outcome == Outcome::failed && step.result) test.out = step.result->output;
  return test;
}

JunitCase junit_case(const CheckResult& check) {
  JunitCase test{.name = check.title};
  if (check.ok()) return test;
  test.outcome = JunitCase::Outcome::failed;
  test.message = check.mismatches.front();
  for (const std::string& mismatch : check.mismatches) test.details += mismatch + '\n';
  return test;
}

}  // namespace

bool ScenarioReport::ok() const {
  return std::none_of(steps.begin(), steps.end(), [](const auto& s) { return s.outcome == Outcome::failed; });
}

bool ScenarioReport::host_failed() const {
  return std::any_of(steps.begin(), steps.end(), [](const auto& s) { return s.by_host; });
}

Milliseconds ScenarioReport::duration() const {
  Milliseconds total{0};
  for (const StepReport& step : steps) total += step.duration;
  return total;
}

const StepReport* ScenarioReport::find(ScenarioStep step) const {
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const auto& s) { return s.step == step; });
  return found == steps.end() ? nullptr : &*found;
}

JunitSuite junit_suite(const ScenarioReport& report) {
  JunitSuite suite{.name = report.name, .started = report.started};
  for (const StepReport& step : report.steps) {
    const bool told_by_checks = step.step == ScenarioStep::verify && step.error.empty() && !report.checks.empty();
    if (!told_by_checks && step.configured) suite.cases.push_back(junit_case(step));
    if (step.step != ScenarioStep::verify) continue;
    for (const CheckResult& check : report.checks) suite.cases.push_back(junit_case(check));
  }
  return suite;
}

}  // namespace mayfly
