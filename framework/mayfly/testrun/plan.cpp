#include "mayfly/testrun/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mayfly {
namespace {

constexpr std::size_t kLongestFilter = 65'536;  ///< half of what execve(2) takes as one argument

/// The tests that are run, in the processes that the isolation asks for.
void add_suite(std::vector<TestProcess>& processes, std::size_t program, const ListedSuite& suite,
               const std::vector<std::string>& tests, Isolation isolation) {
  std::size_t length = 0;
  bool begin = true;
  for (const std::string& test : tests) {
    const std::size_t more = suite.name.size() + test.size() + 2;
    if (std::exchange(begin, false) || isolation == Isolation::test_case || length + more > kLongestFilter) {
      const std::string name = isolation == Isolation::suite ? suite.name : fmt::format("{}.{}", suite.name, test);
      processes.push_back({.program = program, .suite = suite.name, .tests = {}, .name = name});
      length = 0;
    }
    processes.back().tests.push_back(test);
    length += more;
  }
}

}  // namespace

TestPlan plan_processes(const std::vector<TestProgram>& programs, const PlanOptions& options) {
  TestPlan plan;
  for (std::size_t program = 0; program < programs.size(); ++program) {
    std::size_t number = 0;
    for (const ListedSuite& suite : programs[program].suites) {
      std::vector<std::string> tests;
      for (const std::string& test : suite.tests) {
        if (!options.disabled_too && is_disabled(suite.name, test)) {
          ++plan.disabled;
        } else if (number++ % options.shard.total == options.shard.index) {
          tests.push_back(test);
        }
      }
      add_suite(plan.processes, program, suite, tests, options.isolation);
    }
  }
  return plan;
}

std::string filter_for(std::string_view suite, const std::vector<std::string>& tests) {
  std::string filter;
  for (const std::string& test : tests) {
    std::string name = fmt::format("{}.{}", suite, test);
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '-' || c == ':' || c == '*'; }, '?');
    filter += (filter.empty() ? "" : ":") + name;
  }
  return filter;
}

void order_by_duration(std::vector<TestProcess>& processes,
                       const std::function<std::optional<Milliseconds>(const TestProcess&)>& known) {
  std::vector<std::pair<Milliseconds, TestProcess>> keyed;
  keyed.reserve(processes.size());
  for (TestProcess& process : processes) {
    const Milliseconds duration = known(process).value_or(Milliseconds::max());
    keyed.emplace_back(duration, std::move(process));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::transform(keyed.begin(), keyed.end(), processes.begin(), [](auto& entry) { return std::move(entry.second); });
}

}  // namespace mayfly
