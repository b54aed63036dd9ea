#include "mayfly/scenario/report.h"

#include <algorithm>
#include <iterator>
#include <utility>

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
  for (const std::string& note : step.notes) test.out += note + '\n';
  if (step.outcome == Outcome::failed && step.result) test.out += step.result->output;
  return test;
}

JunitCase junit_case(const CheckResult& check) {
  JunitCase test{.name = check.title, .duration = check.duration};
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
  JunitSuite suite{.name = report.name, .started = report.started, .duration = report.duration()};
  for (const StepReport& step : report.steps) {
    if (!step.configured) continue;
    JunitCase of_step = junit_case(step);
    std::vector<JunitCase> of_checks;
    if (step.step == ScenarioStep::verify) {
      for (const CheckResult& check : report.checks) {
        // Those that wait do so side by side.
        of_step.duration = std::max(of_step.duration - check.duration, Milliseconds(0));
        of_checks.push_back(junit_case(check));
      }
    }
    suite.cases.push_back(std::move(of_step));
    std::move(of_checks.begin(), of_checks.end(), std::back_inserter(suite.cases));
  }
  return suite;
}

}  // namespace mayfly
