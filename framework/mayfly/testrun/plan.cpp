#include "mayfly/testrun/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mayfly {
namespace {

constexpr std::size_t kLongestFilter = 65'536;  ///< half of what execve(2) takes as one argument

/// The tests that are run, in the processes that the isolation asks for.
/// @param suite that they have in common, or empty
void add_tests(std::vector<TestProcess>& processes, std::size_t program, TestFramework framework,
               const std::string& suite, const std::vector<TestName>& tests, bool each) {
  std::size_t length = 0;
  bool begin = true;
  for (const TestName& test : tests) {
    const std::size_t more = test.suite.size() + test.test.size() + 2;
    if (std::exchange(begin, false) || each || length + more > kLongestFilter) {
      processes.push_back({.program = program,
                           .framework = framework,
                           .suite = suite,
                           .tests = {},
                           .name = each ? to_string(test) : suite});
      length = 0;
    }
    processes.back().tests.push_back(test);
    length += more;
  }
}

/// One process, however many tests there are: the program chooses them itself.
void add_whole(std::vector<TestProcess>& processes, std::size_t program, TestFramework framework,
               std::vector<TestName> tests) {
  if (tests.empty()) return;
  processes.push_back(
      {.program = program, .framework = framework, .suite = {}, .tests = std::move(tests), .name = {}, .whole = true});
}

}  // namespace

std::string to_string(const TestName& name) {
  return name.suite.empty() ? name.test : fmt::format("{}.{}", name.suite, name.test);
}

TestPlan plan_processes(const std::vector<TestProgram>& programs, const PlanOptions& options) {
  TestPlan plan;
  for (std::size_t program = 0; program < programs.size(); ++program) {
    const TestFramework framework = programs[program].framework;
    const bool gtest = framework == TestFramework::gtest;
    const bool each = options.isolation == Isolation::test_case;
    std::size_t number = 0;
    std::vector<TestName> all;
    for (const ListedSuite& suite : programs[program].suites) {
      std::vector<TestName> tests;
      for (const std::string& test : suite.tests) {
        if (gtest && !options.disabled_too && is_disabled(suite.name, test)) {
          ++plan.disabled;
        } else if (number++ % options.shard.total == options.shard.index) {
          tests.push_back({suite.name, test});
        }
      }
      if (options.isolation == Isolation::binary) {
        all.insert(all.end(), tests.begin(), tests.end());
      } else if (!gtest && !each && programs[program].suites.size() == 1 && options.shard.total == 1) {
        add_whole(plan.processes, program, framework, std::move(tests));
      } else {
        add_tests(plan.processes, program, framework, suite.name, tests, each);
      }
    }
    // GoogleTest itself knows what a shard is.
    if (gtest || options.shard.total == 1) {
      add_whole(plan.processes, program, framework, std::move(all));
    } else {
      add_tests(plan.processes, program, framework, {}, all, false);
    }
  }
  return plan;
}

std::string filter_for(const std::vector<TestName>& tests) {
  std::string filter;
  for (const TestName& test : tests) {
    std::string name = to_string(test);
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
