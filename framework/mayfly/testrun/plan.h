#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/support/units.h"
#include "mayfly/testrun/listing.h"

namespace mayfly {

/// What gets a process of its own.
enum class Isolation {
  suite,      ///< so that what a suite shares is made once
  test_case,  ///< also what a suite shares is made for each test
};

/// A GoogleTest program and the tests that were chosen of it.
struct TestProgram {
  std::filesystem::path file;         ///< absolute
  std::string name;                   ///< short, unique in a run: "web_test"
  std::vector<ListedSuite> suites{};  ///< in the program's order
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

/// One process to be run: some tests of one suite.
struct TestProcess {
  std::size_t program = 0;  ///< index into the programs
  std::string suite;
  std::vector<std::string> tests;
  std::string name;  ///< for people and for remembering its duration: "Web", of a single case "Web.ServesTheIndexPage"
};

struct TestPlan {
  std::vector<TestProcess> processes;
  std::size_t disabled = 0;  ///< tests left out since they are disabled
};

/// Which processes a run takes, in the order of the programs and their tests. Tests are dealt to shards as gtest deals
/// them: one by one, in their order, disabled ones aside. A suite whose names don't fit one argument of a command line
/// (128 KiB, execve(2)) gets several processes.
[[nodiscard]] TestPlan plan_processes(const std::vector<TestProgram>& programs, const PlanOptions& options);

/// The value of --gtest_filter that chooses exactly these tests. What means something to gtest in a name (a typed
/// suite's names may hold anything) is replaced by '?', which stands for any character.
[[nodiscard]] std::string filter_for(std::string_view suite, const std::vector<std::string>& tests);

/// Puts those first of which nothing is known, in their order, then the longest known: what is started last should be
/// short, so that no processor idles at the end.
void order_by_duration(std::vector<TestProcess>& processes,
                       const std::function<std::optional<Milliseconds>(const TestProcess&)>& known);

}  // namespace mayfly
