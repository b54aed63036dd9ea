// What a person sees of a test that fails or dies in a container: by real debuggers, attached by the commands that the
// test program prints, and in the files that it leaves.
#include <gmock/gmock.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "mayfly/support/file_io.h"
#include "mayfly/support/lines.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/at_terminal.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

constexpr Milliseconds kPatience{120'000};
constexpr const char* kBreak = "--mayfly_break_on_failure";
constexpr const char* kStopped = "[ STOPPED  ]";

int count(std::string_view text, std::string_view part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// The command below the last stop in what was printed: `gdb`, `shell`.
std::string printed_command(std::string_view output, const std::string& name) {
  const std::size_t stop = output.rfind(kStopped);
  if (stop == std::string_view::npos) return "false";
  for (const std::string_view line : lines_of(output.substr(stop))) {
    const std::size_t at = line.find(name + ": ");
    if (at == 2) return std::string(line.substr(line.find_first_not_of(' ', at + name.size() + 1)));
  }
  return "false";
}

/// The one that lets it go on without a terminal.
std::string printed_signal(std::string_view output) {
  std::string command = printed_command(output, "go on");
  return command.substr(std::min(command.find("kill -CONT"), command.size()));
}

ProcessResult shell(const std::string& command) {
  return run_process({"sh", "-c", command}, {.env = {{"TERM", "dumb"}}, .timeout = kPatience});
}

/// A test of inside/debug_inner_test.cpp that runs while this one looks at it. Its standard input is no terminal.
class Inner {
 public:
  explicit Inner(const std::string& test, const std::vector<std::string>& flags = {},
                 const std::map<std::string, std::string>& env = {}) {
    std::vector<std::string> argv{MAYFLY_INNER_TEST, "--gtest_filter=" + test};
    argv.insert(argv.end(), flags.begin(), flags.end());
    ProcessOptions options{.env = environment(), .timeout = kPatience};
    for (const auto& [name, value] : env) options.env[name] = value;
    options.on_output = [this](bool, std::string_view piece) {
      const std::lock_guard lock(mutex_);
      output_ += piece;
      more_.notify_all();
    };
    thread_ = std::thread([this, argv, options] {
      try {
        exit_code_ = run_process(argv, options).exit_code;
      } catch (const std::exception& error) {
        options.on_output(true, std::string("the inner test failed: ") + error.what());
      }
      const std::lock_guard lock(mutex_);
      ended_ = true;
      more_.notify_all();
    });
  }
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;
  ~Inner() {
    if (thread_.joinable()) thread_.join();
  }

  /// What was printed so far, once it has stopped for the nth time or has ended.
  std::string stopped(int times = 1) {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [&] {
      return ended_ ||
             (count(output_, kStopped) >= times &&
              output_.find("kill -CONT", output_.rfind(kStopped)) != std::string::npos && output_.ends_with('\n'));
    });
    return output_;
  }
  std::string output() {
    const std::lock_guard lock(mutex_);
    return output_;
  }
  std::string end() {
    if (thread_.joinable()) thread_.join();
    return output();
  }
  [[nodiscard]] int exit_code() const { return exit_code_; }
  [[nodiscard]] fs::path artifacts() const { return directory_.path() / "artifacts"; }
  [[nodiscard]] std::map<std::string, std::string> environment() const {
    return {{"MAYFLY_ARTIFACTS_DIR", artifacts()},
            {"MAYFLY_PROFILE_PATH", ""},
            {"MAYFLY_POOL", "off"},
            {"GTEST_COLOR", "no"}};
  }

 private:
  TempDir directory_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::string output_;
  bool ended_ = false;
  int exit_code_ = -1;
  std::thread thread_;
};

class InsideDebug : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    test::require_root();
    test::require_program("gdb");
  }
  static std::string inner(const std::string& test) { return "Engines/Looked." + test + "/" + GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Engines, InsideDebug, ::testing::Values("Fork", "SharedMemory"),
                         [](const auto& instance) { return instance.param; });

class OutsideDebug : public ::testing::Test {
 protected:
  void SetUp() override {
    test::require_root();
    test::require_program("gdb");
  }
};

TEST_P(InsideDebug, StopsWhereItFailsUntilItIsToldToGoOn) {
  Inner inner(InsideDebug::inner("Fails"), {kBreak});
  const std::string stop = inner.stopped();
  ASSERT_THAT(stop, AllOf(HasSubstr(kStopped), HasSubstr("debug_inner_test.cpp:"), HasSubstr("Which is: 41")));

  // Longer than the body's deadline.
  const ProcessResult gdb = shell(printed_command(stop, "gdb") + " -batch -ex backtrace");
  EXPECT_THAT(gdb.out, AllOf(HasSubstr("fails_in_here (answer=41)"), HasSubstr("Looked_Fails_Test::TestBody")))
      << gdb.err;

  const std::string process = printed_signal(stop).substr(std::string("kill -CONT ").size());
  const ProcessResult in_container =
      shell(printed_command(stop, "shell") + " -c 'cat /proc/sys/kernel/hostname; readlink /proc/self/ns/mnt'");
  const std::string its_tree = fs::read_symlink("/proc/" + process + "/ns/mnt");
  EXPECT_EQ(in_container.out, "inside\n" + its_tree + "\n") << in_container.err;

  EXPECT_THAT(inner.output(), Not(HasSubstr("the test went on")));
  EXPECT_EQ(shell(printed_signal(stop)).exit_code, 0);
  const std::string all = inner.end();
  EXPECT_EQ(inner.exit_code(), 1);
  EXPECT_EQ(count(all, kStopped), 1) << all;
  EXPECT_THAT(all, AllOf(HasSubstr("the test went on"), HasSubstr("1 FAILED TEST"), Not(HasSubstr("did not return"))));
}

TEST_P(InsideDebug, StopsWhoeverItRunsAs) {
  Inner inner(InsideDebug::inner("FailsAsAnotherUser"), {kBreak});
  const std::string stop = inner.stopped();
  EXPECT_THAT(shell(printed_command(stop, "gdb") + " -batch -ex backtrace").out,
              HasSubstr("fails_in_here (answer=41)"));
  EXPECT_EQ(shell(printed_command(stop, "shell") + " -c 'id -u'").out, "0\n");
  EXPECT_EQ(shell(printed_signal(stop)).exit_code, 0);
  EXPECT_EQ(count(inner.end(), kStopped), 1);
}

TEST_P(InsideDebug, GoesOnWithTheDebugger) {
  if (GetParam() != "Fork") {
    Inner inner(InsideDebug::inner("FailsTwice"), {kBreak});
    for (const int stop : {1, 2}) {
      EXPECT_THAT(printed_command(inner.stopped(stop), "go on"), HasSubstr("with gdb detached"));
      EXPECT_EQ(shell(printed_signal(inner.output())).exit_code, 0);
    }
    return;
  }
  Inner inner(InsideDebug::inner("FailsTwice"), {kBreak});
  const std::string stop = inner.stopped();
  // `continue` takes it to the second stop, where the debugger is still there.
  std::thread debugger([&] {
    const ProcessResult gdb =
        shell(printed_command(stop, "gdb") + " -batch -ex 'handle SIGCONT nostop noprint pass' -ex continue");
    EXPECT_THAT(gdb.out, HasSubstr("exited normally")) << gdb.err;
  });
  const std::string second = inner.stopped(2);
  EXPECT_THAT(second, HasSubstr("Which is: 41"));
  EXPECT_EQ(shell(printed_signal(second)).exit_code, 0);
  debugger.join();
  EXPECT_EQ(count(inner.end(), kStopped), 2);
}

TEST_P(InsideDebug, GoesOnByEnterOnItsTerminal) {
  const TempDir directory;
  const std::string artifacts = directory.path() / "artifacts";
  test::AtTerminal terminal({"/usr/bin/env", "MAYFLY_POOL=off",
                             "MAYFLY_PROFILE_PATH=", "MAYFLY_ARTIFACTS_DIR=" + artifacts, MAYFLY_INNER_TEST,
                             "--gtest_filter=" + inner("FailsTwice"), kBreak});
  EXPECT_THAT(terminal.screen_with("kill -CONT", kPatience), AllOf(HasSubstr("Which is: 40"), HasSubstr("Enter here")));
  terminal.type("\n");
  EXPECT_THAT(terminal.screen_with("Which is: 41", kPatience), HasSubstr("Which is: 41"));
  terminal.type("\n");
  EXPECT_THAT(terminal.screen_with("1 FAILED TEST", kPatience), HasSubstr("1 FAILED TEST"));
  EXPECT_EQ(terminal.exit_code(), 1);
}

TEST_P(InsideDebug, ADeadlineAndACrashStopItToo) {
  Inner inner(InsideDebug::inner("FailsAndHangs"), {kBreak});
  EXPECT_EQ(shell(printed_signal(inner.stopped())).exit_code, 0);
  const std::string late = inner.stopped(2);
  EXPECT_THAT(late.substr(late.rfind(kStopped)), AllOf(HasSubstr("did not return"), HasSubstr("sleep_for")));
  EXPECT_EQ(shell(printed_signal(late)).exit_code, 0);
  EXPECT_THAT(inner.end(), HasSubstr("did not return within 2s and was killed; it was here"));

  Inner crash(InsideDebug::inner("Crashes"), {kBreak});
  const std::string stop = crash.stopped();
  EXPECT_THAT(stop, HasSubstr("The body in the container dies by SIGSEGV"));
  EXPECT_THAT(shell(printed_command(stop, "gdb") + " -batch -ex 'thread apply all backtrace'").out,
              HasSubstr("crashes_in_here (where=0x0)"));
  EXPECT_EQ(shell(printed_signal(stop)).exit_code, 0);
  EXPECT_EQ(count(crash.end(), kStopped), 1);
}

TEST_P(InsideDebug, GdbTellsOfACrashWithAllThreadsAndVariables) {
  Inner inner(InsideDebug::inner("Crashes"));
  const std::string output = inner.end();
  const fs::path report = inner.artifacts() / ("Engines-Looked.Crashes-" + GetParam()) / "body-1.gdb.txt";
  EXPECT_THAT(output, AllOf(HasSubstr("SIGSEGV"), HasSubstr("\nall threads with their variables: " + report.string()),
                            HasSubstr("the test went on")));
  ASSERT_TRUE(fs::exists(report)) << output;
  EXPECT_THAT(read_file(report),
              AllOf(HasSubstr("crash_value = 4711"), HasSubstr("told = \"a text of the body\""), HasSubstr("Thread 1 "),
                    HasSubstr("Thread 2 "), Not(HasSubstr("wait_after_crash")), Not(HasSubstr("call_guarded"))));
  EXPECT_FALSE(fs::exists(report.parent_path() / "body-1.core.zst"));
  EXPECT_FALSE(fs::exists(report.parent_path() / "body-1.core"));
}

TEST_P(InsideDebug, ACoreFileIsThereForTheAsking) {
  test::require_program("zstd");
  Inner inner(InsideDebug::inner("Crashes"), {"--mayfly_cores"});
  const std::string output = inner.end();
  const fs::path directory = inner.artifacts() / ("Engines-Looked.Crashes-" + GetParam());
  const std::string core = directory / "body-1.core";
  EXPECT_THAT(output, HasSubstr("\ncore file: " + core + ".zst"));
  ASSERT_TRUE(fs::exists(core + ".zst")) << output;
  EXPECT_EQ(fs::status(core + ".zst").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(shell("zstd -q -d " + core + ".zst").exit_code, 0);
  EXPECT_THAT(shell("gdb -nx -batch -iex 'set sysroot /' " MAYFLY_INNER_TEST " " + core +
                    " -ex 'thread apply all backtrace full'")
                  .out,
              HasSubstr("crash_value = 4711"));
}

TEST_P(InsideDebug, GdbTellsWhereABodyHangs) {
  Inner inner(InsideDebug::inner("Hangs"));
  const std::string output = inner.end();
  const fs::path report = inner.artifacts() / ("Engines-Looked.Hangs-" + GetParam()) / "body-1.gdb.txt";
  EXPECT_THAT(output, AllOf(HasSubstr("did not return within 2s and was killed"), HasSubstr(report.string())));
  ASSERT_TRUE(fs::exists(report)) << output;
  EXPECT_THAT(read_file(report), HasSubstr("hang_value = 815"));

  Inner other(InsideDebug::inner("BecomesAProgramThatHangs"));
  EXPECT_THAT(other.end(), AllOf(HasSubstr("did not return within 2s and was killed"), Not(HasSubstr("gdb.txt"))));
}

TEST_P(InsideDebug, ADyingChildOfABodyIsItsOwnMatter) {
  Inner inner(InsideDebug::inner("HasAChildThatDies"));
  EXPECT_THAT(inner.end(), AllOf(HasSubstr("1 FAILED TEST"), HasSubstr("Which is: 41"), Not(HasSubstr("gdb.txt"))));
  EXPECT_FALSE(fs::exists(inner.artifacts() / ("Engines-Looked.HasAChildThatDies-" + GetParam()) / "body-1.gdb.txt"));

  Inner stops(InsideDebug::inner("HasAChildThatDies"), {kBreak});
  EXPECT_EQ(shell(printed_signal(stops.stopped())).exit_code, 0);
  EXPECT_EQ(count(stops.end(), kStopped), 1) << stops.output();
}

TEST_P(InsideDebug, WithoutGdbACrashIsToldAllTheSame) {
  const auto told = AllOf(HasSubstr("was killed by SIGSEGV (Segmentation fault); it was here:\n  #0 "),
                          Not(HasSubstr("gdb")), HasSubstr("the test went on"));
  EXPECT_THAT(Inner(InsideDebug::inner("Crashes"), {}, {{"PATH", "/nowhere"}}).end(), told);
  EXPECT_THAT(Inner(InsideDebug::inner("Crashes"), {}, {{"MAYFLY_GDB", "0"}}).end(), told);
}

TEST_F(OutsideDebug, StopsTheTestProgramWhileThereIsAContainer) {
  Inner inner("Outside.Fails", {kBreak});
  const std::string stop = inner.stopped();
  ASSERT_THAT(stop, HasSubstr(kStopped));
  EXPECT_THAT(shell(printed_command(stop, "gdb") + " -batch -ex backtrace").out,
              HasSubstr("fails_in_here (answer=41)"));
  EXPECT_EQ(shell(printed_command(stop, "shell") + " -c 'cat /proc/sys/kernel/hostname'").out, "inside\n");
  EXPECT_THAT(inner.output(), Not(HasSubstr("the test went on")));
  EXPECT_EQ(shell(printed_signal(stop)).exit_code, 0);
  EXPECT_THAT(inner.end(), AllOf(HasSubstr("the test went on"), HasSubstr("1 FAILED TEST")));
  EXPECT_EQ(inner.exit_code(), 1);
}

TEST_F(OutsideDebug, StopsOnceForAFailureOfABody) {
  Inner inner("Outside.FailsInside", {kBreak});
  EXPECT_EQ(shell(printed_signal(inner.stopped())).exit_code, 0);
  EXPECT_EQ(count(inner.end(), kStopped), 1) << inner.output();
  EXPECT_THAT(inner.output(), HasSubstr("the test went on"));
}

TEST_F(OutsideDebug, SaysWhenThereIsNoShell) {
  Inner inner("InBareRoot.Fails", {kBreak});
  const std::string stop = inner.stopped();
  EXPECT_THAT(printed_command(stop, "shell"), ContainsRegex("^none: the container of process [0-9]+ has no shell$"));
  EXPECT_THAT(shell(printed_command(stop, "gdb") + " -batch -ex backtrace").out,
              HasSubstr("fails_in_here (answer=41)"));
  EXPECT_EQ(shell(printed_signal(stop)).exit_code, 0);
  EXPECT_EQ(count(inner.end(), kStopped), 1);
}

TEST_F(OutsideDebug, StopsForAContainerWithoutFixture) {
  Inner inner("WithoutFixture.Fails", {}, {{"MAYFLY_BREAK_ON_FAILURE", "1"}});
  EXPECT_EQ(shell(printed_command(inner.stopped(), "shell") + " -c 'cat /proc/sys/kernel/hostname'").out, "inside\n");
  EXPECT_EQ(shell(printed_signal(inner.output())).exit_code, 0);
  EXPECT_EQ(count(inner.end(), kStopped), 1);
}

TEST_F(OutsideDebug, NeverStopsUnasked) {
  EXPECT_EQ(count(Inner("WithoutContainer.Fails", {kBreak}).end(), kStopped), 0);
  EXPECT_EQ(count(Inner("Outside.*").end(), kStopped), 0);
  EXPECT_EQ(
      count(Inner("Outside.*", {"--mayfly_break_on_failure=0"}, {{"MAYFLY_BREAK_ON_FAILURE", "1"}}).end(), kStopped),
      0);
}

TEST_F(OutsideDebug, LeavesGtestsOwnBreakAlone) {
  Inner inner("Outside.Fails", {"--gtest_break_on_failure"});
  EXPECT_EQ(count(inner.end(), kStopped), 0);
  EXPECT_EQ(inner.exit_code(), 128 + SIGTRAP);

  Inner both("Outside.Fails", {"--gtest_break_on_failure", kBreak});
  EXPECT_EQ(shell(printed_signal(both.stopped())).exit_code, 0);
  EXPECT_EQ(count(both.end(), kStopped), 1);
  EXPECT_EQ(both.exit_code(), 128 + SIGTRAP);
}

}  // namespace
}  // namespace mayfly
