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

MergedSuite& suite_named(std::vector<MergedSuite>& suites, const FinishedProcess& done, const std::string& suite) {
  const std::string name = suite.empty() ? done.program : fmt::format("{}.{}", done.program, suite);
  const auto found =
      std::find_if(suites.begin(), suites.end(), [&](const MergedSuite& other) { return other.name == name; });
  if (found != suites.end()) return *found;
  suites.push_back({.name = name, .junit = {.name = name, .started = done.started}});
  return suites.back();
}

}  // namespace

std::vector<MergedSuite> merge(const std::vector<FinishedProcess>& processes) {
  std::vector<MergedSuite> suites;
  for (const FinishedProcess& done : processes) {
    for (const JunitCase& test : done.outcome.cases) add_case(suite_named(suites, done, test.class_name), test);
    for (const TestName& test : done.outcome.not_run) {
      MergedSuite& suite = suite_named(suites, done, test.suite);
      suite.junit.cases.push_back({.name = test.test,
                                   .class_name = suite.name,
                                   .outcome = JunitCase::Outcome::skipped,
                                   .message = fmt::format("not run: its process {}", done.outcome.problem)});
    }
    for (const auto& [name, properties] : done.outcome.properties) {
      MergedSuite& suite = suite_named(suites, done, name);
      const Properties others = take_phases(properties, suite.phases);
      suite.junit.properties.insert(suite.junit.properties.end(), others.begin(), others.end());
    }
  }
  for (MergedSuite& suite : suites) {
    for (const auto& [phase, time] : suite.phases) {
      suite.junit.properties.emplace_back(property_of_phase(phase), phase_text(time));
    }
  }
  return suites;
}

}  // namespace mayfly
