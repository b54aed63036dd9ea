#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/test_framework.h"
#include "mayfly/support/units.h"
#include "mayfly/testrun/listing.h"

namespace mayfly {

/// What gets a process of its own.
enum class Isolation {
  binary,     ///< a program as a whole
  suite,      ///< so that what a suite shares is made once
  test_case,  ///< also what a suite shares is made for each test
};

/// A test of a program. Of frameworks without suites `suite` is empty.
struct TestName {
  std::string suite;
  std::string test;
  friend auto operator<=>(const TestName&, const TestName&) = default;
};

/// "Web.ServesTheIndexPage"
[[nodiscard]] std::string to_string(const TestName& name);

/// A test program and the tests that were chosen of it.
struct TestProgram {
  std::filesystem::path file;         ///< absolute
  std::string name;                   ///< short, unique in a run: "web_test"
  std::vector<ListedSuite> suites{};  ///< in the program's order; of tests without a suite one without a name
  TestFramework framework = TestFramework::gtest;
};

/// The part of all tests that one of several machines runs: GTEST_SHARD_INDEX of GTEST_TOTAL_SHARDS.
struct Shard {
  unsigned index = 0;
  unsigned total = 1;
};

struct PlanOptions {
  Isolation isolation = Isolation::suite;
  Shard shard{};
  bool disabled_too = false;  ///< --gtest_also_run_disabled_tests
};

/// One process to be run: some tests of one program.
struct TestProcess {
  std::size_t program = 0;  ///< index into the programs
  TestFramework framework = TestFramework::gtest;
  std::string suite;  ///< of all its tests; empty: they have none, or several
  std::vector<TestName> tests;
  /// For people and for remembering its duration: "Web", of a single case "Web.ServesTheIndexPage"; empty: the program
  std::string name;
  bool whole = false;  ///< all that the program's own filter and shard choose: nothing more has to be said to it
};

struct TestPlan {
  std::vector<TestProcess> processes;
  std::size_t disabled = 0;  ///< tests left out since they are disabled
};

/// Which processes a run takes, in the order of the programs and their tests. Tests are dealt to shards as gtest deals
/// them: one by one, in their order, disabled ones aside. A suite whose names don't fit one argument of a command line
/// (128 KiB, execve(2)) gets several processes. A program whose framework knows no suites is one of its own.
[[nodiscard]] TestPlan plan_processes(const std::vector<TestProgram>& programs, const PlanOptions& options);

/// The value of --gtest_filter that chooses exactly these tests. What means something to gtest in a name (a typed
/// suite's names may hold anything) is replaced by '?', which stands for any character.
[[nodiscard]] std::string filter_for(const std::vector<TestName>& tests);

/// Puts those first of which nothing is known, in their order, then the longest known: what is started last should be
/// short, so that no processor idles at the end.
void order_by_duration(std::vector<TestProcess>& processes,
                       const std::function<std::optional<Milliseconds>(const TestProcess&)>& known);

}  // namespace mayfly
