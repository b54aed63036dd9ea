#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "mayfly/keeper/client.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/lines.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/host_snapshot.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
namespace fs = std::filesystem;

/// The built command with directories of its own, on testrun/plain_test.cpp. Needs no root.
class TestCommand : public ::testing::Test {
 protected:
  ProcessResult mayfly_test(std::vector<std::string> arguments, std::map<std::string, std::string> env = {}) const {
    arguments.insert(arguments.begin(), {MAYFLY_COMMAND, "test"});
    env.insert({{"MAYFLY_RUNTIME_DIR", paths_.runtime},
                {"MAYFLY_STORE_DIR", paths_.store},
                {"MAYFLY_ARTIFACTS_DIR", directory_.path() / "artifacts"},
                {"MAYFLY_REQUIRE", ""},
                {"TERM", "dumb"}});
    ProcessResult result =
        run_process(arguments, {.env = env, .cwd = directory_.path(), .timeout = Milliseconds(300'000)});
    result.err += result.out;
    return result;
  }

  ProcessResult plain(const std::string& filter, std::vector<std::string> more = {},
                      std::map<std::string, std::string> env = {}) const {
    more.insert(more.begin(), {MAYFLY_PLAIN_TEST, "--filter", filter});
    return mayfly_test(std::move(more), std::move(env));
  }

  [[nodiscard]] std::string junit() const { return read_file(xml_); }

  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
  std::string xml_ = directory_.path() / "report.xml";
};

TEST_F(TestCommand, PassesWhatPasses) {
  const ProcessResult result = plain("Passes.*", {"--junit", xml_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(ContainsRegex("passed   plain_test.Passes  2 tests +[0-9]+ms\n"),
                                ContainsRegex("\n2 tests: 2 passed in "), Not(HasSubstr("[ RUN "))));
  EXPECT_THAT(junit(), AllOf(HasSubstr("<testsuites tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"0\""),
                             HasSubstr("<testsuite name=\"plain_test.Passes\""),
                             HasSubstr("<testcase name=\"Second\" classname=\"plain_test.Passes\""),
                             HasSubstr("<property name=\"colour\" value=\"green\"/>")));
}

TEST_F(TestCommand, ShowsTheOutputOfWhatFailsAndTheFailureAgainAtTheEnd) {
  const ProcessResult result = plain("Passes.*:Fails.*", {"--junit", xml_, "-j1"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("== plain_test.Fails\n"), HasSubstr("some output of it\n"),
                    ContainsRegex("failed   plain_test.Fails +1 of 2 failed"),
                    HasSubstr("\nfailed   plain_test: Fails.InAnExpectation\n         "), HasSubstr("arithmetic"),
                    HasSubstr("again: " MAYFLY_PLAIN_TEST " --gtest_filter=Fails.InAnExpectation\n"),
                    HasSubstr("4 tests: 3 passed, 1 failed in ")));
  EXPECT_THAT(junit(), AllOf(HasSubstr("failures=\"1\""), HasSubstr("plain_test.cpp:"),
                             HasSubstr("<system-out>some output of it")));
}

TEST_F(TestCommand, NamesTheSignalAndTheTestThatHadBegun) {
  const ProcessResult result = plain("Crashes.*", {"--junit", xml_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("killed by SIGSEGV (Segmentation fault) and without a result while Crashes.Here ran"),
                    HasSubstr("about to crash"), HasSubstr("1 of 3 failed, 1 not run"),
                    HasSubstr("3 tests: 1 passed, 1 failed, 1 not run")));
  EXPECT_THAT(junit(),
              AllOf(HasSubstr("<testcase name=\"Before\""), HasSubstr("errors=\"1\" skipped=\"1\""),
                    HasSubstr("<error message=\"killed by SIGSEGV"), HasSubstr("not run: its process killed")));
}

TEST_F(TestCommand, FailsAProcessThatExitsWithoutAResult) {
  const ProcessResult result = plain("Exits.*");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("exited with 0 and without a result while Exits.WithZero ran"));
}

TEST_F(TestCommand, FailsAProgramThatFailsAlthoughItsTestsPass) {
  const ProcessResult result = plain("Passes.*", {"--", "--fail-at-the-end"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("exited with 23 although no test failed"));
}

TEST_F(TestCommand, KillsWhatHangs) {
  const ProcessResult result = plain("Hangs.*:Passes.*", {"--timeout", "300ms", "-j2"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("still ran after 300ms and was killed and without a result while Hangs.ForEver ran"),
                    HasSubstr("passed   plain_test.Passes")));
}

TEST_F(TestCommand, SkipsAreToldAndFailWhereEverythingIsRequired) {
  const ProcessResult told = plain("Skips.*", {"--junit", xml_});
  EXPECT_EQ(told.exit_code, 0);
  EXPECT_THAT(told.out, AllOf(HasSubstr("2 tests, 1 skipped"), HasSubstr("skipped  1 test: needs a moon\n"),
                              HasSubstr("2 tests: 1 passed, 1 skipped in ")));
  EXPECT_THAT(junit(), HasSubstr("<skipped message=\"needs a moon\""));
  const ProcessResult required = plain("Skips.*", {}, {{"MAYFLY_REQUIRE", "all"}});
  EXPECT_EQ(required.exit_code, 1);
  EXPECT_THAT(required.out, HasSubstr("skipped, and MAYFLY_REQUIRE=all: needs a moon"));
}

TEST_F(TestCommand, HugeOutputIsWhole) {
  const ProcessResult result = plain("WritesMuch.*", {"--junit", xml_});
  EXPECT_EQ(result.exit_code, 1);
  const std::string line(1023, 'x');
  std::size_t lines = 0;
  for (const std::string_view one : lines_of(result.out)) lines += one == line ? 1 : 0;
  EXPECT_EQ(lines, 4096U);
  EXPECT_LT(junit().size(), 1'000'000U);
}

TEST_F(TestCommand, OutputsOfProcessesAtOnceDontMix) {
  const ProcessResult result = plain("Fails.*:WritesMuch.*:Crashes.*:Numbers/*", {"-j4"});
  std::string current;
  for (const std::string_view line : lines_of(result.out)) {
    if (line.starts_with("== ")) current = line;
    if (line == std::string(1023, 'x')) {
      ASSERT_EQ(current, "== plain_test.WritesMuch");
    }
    if (line == "about to crash") {
      ASSERT_EQ(current, "== plain_test.Crashes");
    }
  }
}

TEST_F(TestCommand, RunsParameterisedAndTypedTestsOfAnyName) {
  const ProcessResult result = plain("Numbers/*:Typed/*", {"--junit", xml_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("plain_test.Numbers/WithParameter"), HasSubstr("1 of 3 failed"),
                    HasSubstr("passed   plain_test.Typed/odd-name:0"),
                    HasSubstr("again: " MAYFLY_PLAIN_TEST " --gtest_filter=Numbers/WithParameter.IsSmall/2\n")));
}

TEST_F(TestCommand, DisabledTestsAreCountedAndRunWhenAskedFor) {
  const ProcessResult result = plain("*Disabled.*:DISABLED_*");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("3 tests: 1 passed, 2 disabled in "));
  const ProcessResult all = plain("*Disabled.*:DISABLED_*", {"--", "--gtest_also_run_disabled_tests"});
  EXPECT_EQ(all.exit_code, 1);
  EXPECT_THAT(all.out, HasSubstr("3 tests: 1 passed, 2 failed in "));
}

TEST_F(TestCommand, ShardsShareTheTestsOut) {
  const auto shard = [&](const char* index) {
    return plain("TellsItsShard.*", {"--verbose"}, {{"GTEST_TOTAL_SHARDS", "2"}, {"GTEST_SHARD_INDEX", index}});
  };
  EXPECT_THAT(shard("0").out,
              AllOf(HasSubstr("TellsItsShard.One"), HasSubstr("TellsItsShard.Three"), HasSubstr("2 tests: 2 passed")));
  EXPECT_THAT(shard("1").out, AllOf(HasSubstr("TellsItsShard.Two"), HasSubstr("1 test: 1 passed")));
}

TEST_F(TestCommand, ACaseMayHaveAProcessOfItsOwn) {
  const ProcessResult result = plain("Crashes.*", {"--isolate=case", "--junit", xml_});
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("passed   plain_test.Crashes.Before"), HasSubstr("passed   plain_test.Crashes.Never"),
                    HasSubstr("3 tests: 2 passed, 1 failed")));
  EXPECT_THAT(junit(), HasSubstr("<testsuite name=\"plain_test.Crashes\" tests=\"3\" failures=\"0\" errors=\"1\""));
}

TEST_F(TestCommand, AProgramMayHaveOneProcess) {
  const ProcessResult result = plain("Passes.*:Fails.*:Numbers/*", {"--isolate=binary", "--junit", xml_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(ContainsRegex("\nfailed   plain_test +2 of 7 failed"),
                                HasSubstr("again: " MAYFLY_PLAIN_TEST " --gtest_filter=Fails.InAnExpectation\n"),
                                HasSubstr("7 tests: 5 passed, 2 failed in ")));
  EXPECT_THAT(junit(), AllOf(HasSubstr("<testsuite name=\"plain_test.Passes\" tests=\"2\""),
                             HasSubstr("<testsuite name=\"plain_test.Numbers/WithParameter\" tests=\"3\"")));
  const ProcessResult crash = plain("Passes.*:Crashes.*", {"--isolate=binary"});
  EXPECT_THAT(crash.out, AllOf(HasSubstr("while Crashes.Here ran"), HasSubstr("3 passed, 1 failed, 1 not run")));
}

TEST_F(TestCommand, AProgramInOneProcessDealsItsShardsItself) {
  const auto shard = [&](const char* index) {
    return plain("Passes.*:Skips.*", {"--isolate=binary", "--verbose"},
                 {{"GTEST_TOTAL_SHARDS", "2"}, {"GTEST_SHARD_INDEX", index}});
  };
  EXPECT_THAT(shard("0").out,
              AllOf(HasSubstr("Passes.First"), Not(HasSubstr("Passes.Second")), HasSubstr("2 tests: ")));
  EXPECT_THAT(shard("1").out,
              AllOf(HasSubstr("Passes.Second"), Not(HasSubstr("Passes.First")), HasSubstr("2 tests: ")));
}

TEST_F(TestCommand, APlainProgramIsOneTest) {
  const ProcessResult guessed = mayfly_test({"/bin/true", "/bin/false", "--junit", xml_});
  EXPECT_EQ(guessed.exit_code, 1);
  EXPECT_THAT(guessed.out, AllOf(ContainsRegex("passed   true +plain program"), HasSubstr("exited with 1"),
                                 HasSubstr("note     no known framework is in true, false: taken for plain"),
                                 HasSubstr("again: /bin/false\n"), HasSubstr("2 tests: 1 passed, 1 failed")));
  EXPECT_THAT(junit(), HasSubstr("<testsuite name=\"false\" tests=\"1\" failures=\"1\""));
  const ProcessResult said = mayfly_test({"/bin/true", "--framework", "plain"});
  EXPECT_EQ(said.exit_code, 0);
  EXPECT_THAT(said.out, Not(HasSubstr("note")));
  EXPECT_THAT(mayfly_test({"/bin/true", "--filter", "x"}).out, HasSubstr("a filter has nothing to choose from"));
  write_file(directory_.path() / "script", "#!/bin/sh\nexit 0\n");
  fs::permissions(directory_.path() / "script", fs::perms::owner_all);
  EXPECT_THAT(mayfly_test({"script"}).out, HasSubstr("is a script"));
  EXPECT_EQ(mayfly_test({"script", "--framework", "plain"}).exit_code, 0);
}

TEST_F(TestCommand, StartsNothingAfterAFailureWhenAskedToFailFast) {
  const ProcessResult result = plain("Fails.*:Passes.*:Skips.*", {"-j1", "--", "--gtest_fail_fast"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("process not started after the failure"));
}

TEST_F(TestCommand, TheLongestKnownGoesFirst) {
  ASSERT_TRUE(plain("Passes.*:Skips.*:TellsItsShard.*").ok());
  const auto files = fs::directory_iterator(paths_.durations());
  const fs::path file = fs::begin(files)->path();
  EXPECT_THAT(read_file(file), AllOf(HasSubstr(MAYFLY_PLAIN_TEST), HasSubstr("\"Passes\":"), HasSubstr("\"Skips\":")));
  write_file(file, R"({"program": "x", "milliseconds": {"Passes": 1, "Skips": 3, "TellsItsShard": 2}})");
  EXPECT_THAT(plain("Passes.*:Skips.*:TellsItsShard.*", {"-j1"}).out,
              ContainsRegex("test.Skips .*\n.*test.TellsItsShard .*\n.*test.Passes "));
}

TEST_F(TestCommand, AProgramThatCannotTellItsTestsFails) {
  const ProcessResult refuses = mayfly_test({MAYFLY_PLAIN_TEST, "--", "--refuse"});
  EXPECT_EQ(refuses.exit_code, 1);
  EXPECT_THAT(refuses.out,
              AllOf(HasSubstr("can't tell its tests: "), HasSubstr("exited with 5"), HasSubstr("refused")));
  const ProcessResult other = mayfly_test({"/bin/true", "--framework", "gtest"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.out, HasSubstr("has no tests: it isn't a GoogleTest program"));
}

TEST_F(TestCommand, WrongCommandLinesSayWhatToWrite) {
  EXPECT_EQ(mayfly_test({}).exit_code, 2);
  write_file(directory_.path() / "web.toml", "");
  write_file(directory_.path() / "script", "");
  for (const auto& [arguments, text] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"web.toml"}, "'mayfly test web.toml' needs a program"},
           {{MAYFLY_PLAIN_TEST, "--user", "nobody"}, "give a profile first"},
           {{"script"}, "'script' isn't an executable file"},
           {{"nowhere"}, "'nowhere' doesn't exist"},
           {{MAYFLY_PLAIN_TEST, "--filter", "Nothing.*"}, "no test matches 'Nothing.*'"},
           {{MAYFLY_PLAIN_TEST, "--timeout", "5"}, "--timeout '5' is no duration"},
           {{MAYFLY_PLAIN_TEST, "--", "--gtest_output=xml:x"}, "--junit FILE"}}) {
    const ProcessResult result = mayfly_test(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr(text));
  }
}

TEST_F(TestCommand, CtrlCEndsWhatRuns) {
  const ProcessResult result = run_process({"timeout", "--signal=INT", "--kill-after=60", "1", MAYFLY_COMMAND, "test",
                                            MAYFLY_PLAIN_TEST, "--filter", "Hangs.*"},
                                           {.env = {{"MAYFLY_RUNTIME_DIR", paths_.runtime},
                                                    {"MAYFLY_STORE_DIR", paths_.store},
                                                    {"TMPDIR", directory_.path()},
                                                    {"TERM", "dumb"}},
                                            .cwd = directory_.path(),
                                            .timeout = Milliseconds(120'000)});
  EXPECT_EQ(result.exit_code, 124) << "timeout(1) has sent the signal";
  EXPECT_THAT(result.err, HasSubstr("interrupted; everything was removed"));
  for (const auto& entry : fs::directory_iterator(directory_.path())) {
    EXPECT_THAT(entry.path().filename().string(), Not(::testing::StartsWith("mayfly-test-")));
  }
}

/// With containers: fixture/inner_test.cpp.
class TestCommandWithContainers : public TestCommand {
 protected:
  void SetUp() override { test::require_root(); }
  ~TestCommandWithContainers() override { EXPECT_THAT(test::leftovers(before_, paths_), IsEmpty()); }
  test::HostSnapshot before_ = test::HostSnapshot::take(paths_);
};

TEST_F(TestCommandWithContainers, TellsTheTimeOfEachPhase) {
  const ProcessResult result =
      mayfly_test({MAYFLY_INNER_TEST, "--filter", "Clean.WritesAFile:Shared.*", "--times", "--junit", xml_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, ContainsRegex("SUITE +TESTS +.*BOOT +.*TEST +TEARDOWN\n.*fixture_inner_test.Clean +1 +.*\n"
                                        ".*fixture_inner_test.Shared +2 +"));
  for (const char* phase : {"boot", "test", "teardown"}) {
    EXPECT_THAT(junit(),
                ContainsRegex("<property name=\"mayfly_" + std::string(phase) + "_ms\" value=\"[0-9]+\\.[0-9]\"/>"));
  }
}

TEST_F(TestCommandWithContainers, AKilledProcessLeavesNothing) {
  const ProcessResult result = mayfly_test({MAYFLY_INNER_TEST, "--filter", "HangsWithContainer.*", "--timeout", "2s"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("while HangsWithContainer.ForEver ran"));
  const std::vector<SessionInfo> sessions = list_sessions(paths_);
  EXPECT_TRUE(std::none_of(sessions.begin(), sessions.end(), [](const auto& session) { return session.alive; }));
}

// What `ctest -j20` does with mayfly_discover_tests(): processes of the same program at the same time, which know
// nothing of each other.
TEST_F(TestCommandWithContainers, TwentyProcessesAtOnceDontClash) {
  std::vector<ProcessResult> results(20);
  std::vector<std::thread> threads;
  threads.reserve(results.size());
  for (ProcessResult& result : results) {
    threads.emplace_back([&] {
      result = run_process({MAYFLY_INNER_TEST, "--gtest_filter=Clean.*:Shared.*:WithoutFixture.*"},
                           {.env = {{"MAYFLY_RUNTIME_DIR", paths_.runtime},
                                    {"MAYFLY_STORE_DIR", paths_.store},
                                    {"MAYFLY_ARTIFACTS_DIR", directory_.path() / "artifacts"}},
                            .timeout = Milliseconds(300'000)});
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const ProcessResult& result : results) EXPECT_TRUE(result.ok()) << result.out << result.err;
  EXPECT_THAT(list_sessions(paths_), SizeIs(0));
}

}  // namespace
}  // namespace mayfly
