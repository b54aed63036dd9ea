#include "mayfly/testrun/merged_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mayfly/session/timeline.h"

namespace mayfly {
namespace {

using Properties = std::vector<std::pair<std::string, std::string>>;

/// Adds what is a phase's time; hands back what isn't.
Properties take_phases(const Properties& properties, std::map<std::string, std::chrono::microseconds>& phases) {
  Properties others;
  for (const auto& [name, value] : properties) {
    if (const auto phase = phase_of_property(name, value)) {
      phases[phase->first] += phase->second;
    } else {
      others.emplace_back(name, value);
    }
  }
  return others;
}

void add_case(MergedSuite& suite, JunitCase test) {
  const bool measured = std::any_of(test.properties.begin(), test.properties.end(), [](const auto& property) {
    return property.first == property_of_phase(kTestPhase);
  });
  static_cast<void>(take_phases(test.properties, suite.phases));
  if (!measured) suite.phases[kTestPhase] += test.duration;
  test.class_name = suite.name;
  suite.junit.cases.push_back(std::move(test));
}

}  // namespace

std::vector<MergedSuite> merge(const std::vector<FinishedProcess>& processes) {
  std::vector<MergedSuite> suites;
  for (const FinishedProcess& done : processes) {
    const std::string name = fmt::format("{}.{}", done.program, done.process.suite);
    auto suite =
        std::find_if(suites.begin(), suites.end(), [&](const MergedSuite& other) { return other.name == name; });
    if (suite == suites.end()) {
      suites.push_back({.name = name, .junit = {.name = name, .started = done.started}});
      suite = std::prev(suites.end());
    }
    for (const JunitCase& test : done.outcome.cases) add_case(*suite, test);
    for (const std::string& test : done.outcome.not_run) {
      suite->junit.cases.push_back({.name = test.substr(test.find('.') + 1),
                                    .class_name = name,
                                    .outcome = JunitCase::Outcome::skipped,
                                    .message = fmt::format("not run: its process {}", done.outcome.problem)});
    }
    const Properties others = take_phases(done.outcome.properties, suite->phases);
    suite->junit.properties.insert(suite->junit.properties.end(), others.begin(), others.end());
  }
  for (MergedSuite& suite : suites) {
    for (const auto& [phase, time] : suite.phases) {
      suite.junit.properties.emplace_back(property_of_phase(phase), phase_text(time));
    }
  }
  return suites;
}

}  // namespace mayfly
