#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/support/owned_temp_dir.h"
#include "mayfly/support/paths.h"
#include "mayfly/testrun/durations.h"
#include "mayfly/testrun/outcome.h"
#include "mayfly/testrun/plan.h"
#include "mayfly/testrun/running_processes.h"

namespace mayfly {

/// The processes run in clean containers, each in one of its own.
struct TestsInside {
  std::filesystem::path mayfly;            ///< the command
  std::filesystem::path profile;           ///< of the machine
  std::vector<std::string> run_options{};  ///< more of `mayfly run`
};

struct TestRunOptions {
  Paths paths = Paths::from_environment();
  std::optional<TestsInside> inside{};  ///< nothing: on the host
  std::size_t jobs = 1;
  PlanOptions plan{};
  std::optional<TestFramework> framework{};  ///< of all programs; nothing: found out for each
  std::string filter{};                      ///< as the framework takes it; empty: GTEST_FILTER, or all
  std::vector<std::string> arguments{};      ///< for every process, after Mayfly's own
  Milliseconds timeout{15 * 60 * 1000};      ///< of one process, in a container of its program; 0: none
  bool fail_fast = false;                    ///< start no process once a test has failed
  bool skips_fail = false;                   ///< MAYFLY_REQUIRE=all
  std::filesystem::path artifacts_root{};    ///< where the fixtures' artifacts go; with several programs below it
};

struct FinishedProcess {
  TestProcess process;
  std::string program;               ///< its name
  std::vector<std::string> command;  ///< that was run
  std::size_t selection = 0;         ///< where in it the words stand that choose the tests
  std::size_t selection_length = 0;  ///< how many they are
  std::chrono::system_clock::time_point started{};
  ProcessEnd end{};
  TestOutcome outcome{};
  std::filesystem::path output{};  ///< what it has written; empty: nothing. Gone with the TestRun

  /// "web_test.Web", of a program as a whole "web_test"
  [[nodiscard]] std::string title() const;
  /// The command that runs one test again.
  [[nodiscard]] std::vector<std::string> command_for(const TestName& test) const;
};

/// A process that runs now, for a display.
struct RunningTest {
  std::string name;  ///< "web_test.Web"
  std::string test;  ///< "ServesTheIndexPage", or empty
  Milliseconds elapsed{0};
};

/// Runs the tests of programs, several processes at a time.
class TestRun {
 public:
  struct Observer {
    std::function<void(const FinishedProcess&)> on_end;
    /// At least ten times a second.
    std::function<void(const std::vector<RunningTest>&, std::size_t done)> on_tick;
  };

  /// Finds out what the programs are written with, and asks them for their tests. A program of which that can't be
  /// known is a failure of this run.
  /// @param programs paths of executable files
  TestRun(const std::vector<std::filesystem::path>& programs, TestRunOptions options);
  ~TestRun();
  TestRun(const TestRun&) = delete;
  TestRun& operator=(const TestRun&) = delete;

  [[nodiscard]] const TestPlan& plan() const noexcept { return plan_; }
  /// Processes, and programs that couldn't be asked.
  [[nodiscard]] std::size_t total() const noexcept { return plan_.processes.size() + unlisted_.size(); }

  /// "web_test.Web"
  [[nodiscard]] std::string name_of(const TestProcess& process) const;
  [[nodiscard]] std::filesystem::path artifacts_of(const TestProcess& process) const;

  /// Names of programs that are taken for plain ones since none of the known frameworks is in them.
  [[nodiscard]] const std::vector<std::string>& taken_for_plain() const noexcept { return taken_for_plain_; }

  /// Runs all. Stops early, without a word, after kill_all().
  void run(const Observer& observer);
  /// Ends what runs; returns when it is gone with its containers. Any thread.
  void kill_all() noexcept { running_.kill_all(); }

  /// Everything that came to its end, in the order of the programs and their suites.
  [[nodiscard]] std::vector<FinishedProcess> finished() const;
  /// Processes that were never started, because of fail_fast.
  [[nodiscard]] std::size_t not_started() const noexcept { return plan_.processes.size() - finished_.size(); }

 private:
  struct Watched;
  void list(TestProgram program);
  void start(std::size_t id);
  void finish(std::size_t id, ProcessEnd end, const Observer& observer);
  void conclude(std::size_t id, FinishedProcess done, const Observer& observer);
  struct Command {
    std::vector<std::string> argv{};
    std::size_t selection = 0;
    std::size_t selection_length = 0;
  };
  /// What it writes for the host.
  struct Files {
    std::filesystem::path result;  ///< of its framework
    std::filesystem::path status;  ///< of `mayfly run`
  };
  [[nodiscard]] Files files_of(std::size_t id) const;
  /// @param files nothing: to be run by hand
  [[nodiscard]] Command command_of(const TestProcess& process, const std::optional<Files>& files) const;
  /// How the program in the container has ended, not `mayfly run`.
  [[nodiscard]] ProcessEnd end_inside(const ProcessEnd& end, const std::filesystem::path& status) const;
  /// The words that choose the process's tests.
  [[nodiscard]] std::vector<std::string> selection_of(const TestProcess& process) const;
  [[nodiscard]] std::map<std::string, std::string> shard_of(const TestProcess& process) const;
  [[nodiscard]] std::filesystem::path file_of(std::size_t id, const char* extension) const;

  TestRunOptions options_;
  std::optional<OwnedTempDir> directory_;  ///< of the processes' output and results; made when the first one runs
  std::vector<TestProgram> programs_;
  std::vector<FinishedProcess> unlisted_;
  std::vector<std::string> taken_for_plain_;
  std::vector<Durations> durations_;  ///< of each program
  TestPlan plan_;
  std::vector<std::size_t> places_;  ///< of the planned processes, before they were put in order
  std::map<std::size_t, std::unique_ptr<Watched>> watched_;
  std::map<std::size_t, FinishedProcess> finished_;
  bool stopped_ = false;
  RunningProcesses running_;
};

}  // namespace mayfly
