#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "mayfly/support/deadline.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// Runs tests of fixture/inner_test.cpp and looks at what they leave.
class Fixture : public ::testing::Test {
 protected:
  void SetUp() override { test::require_root(); }

  ProcessResult run_inner(const std::string& filter, std::map<std::string, std::string> env = {},
                          std::vector<std::string> prefix = {}) {
    env.insert({{"MAYFLY_ARTIFACTS_DIR", artifacts().string()},
                {"MAYFLY_PROFILE_PATH", ""},
                {"MAYFLY_POOL", "off"},
                {"GTEST_COLOR", "no"}});
    prefix.insert(prefix.end(),
                  {MAYFLY_INNER_TEST, "--gtest_filter=" + filter, "--gtest_output=xml:" + xml().string()});
    ProcessResult result = run_process(prefix, {.env = env, .cwd = "/", .timeout = 120s});
    result.out += result.err;
    return result;
  }

  [[nodiscard]] fs::path artifacts() const { return directory_.path() / "artifacts"; }
  [[nodiscard]] fs::path xml() const { return directory_.path() / "out.xml"; }
  [[nodiscard]] std::string artifact(const std::string& path) const { return read_file(artifacts() / path); }

 private:
  TempDir directory_;
};

TEST_F(Fixture, EachTestGetsACleanContainer) {
  const ProcessResult result = run_inner("Clean.*");
  EXPECT_TRUE(result.ok()) << result.out;
  EXPECT_FALSE(fs::exists(artifacts())) << "nothing has failed";
}

TEST_F(Fixture, ASuiteSharesOne) {
  const ProcessResult result = run_inner("Shared*");
  EXPECT_TRUE(result.ok()) << result.out;
}

TEST_F(Fixture, ResetsASharedOneBetweenTests) {
  const ProcessResult result = run_inner("Reset*");
  EXPECT_TRUE(result.ok()) << result.out;
}

TEST_F(Fixture, DrawsFromThePool) {
  TempDir runtime;
  const std::map<std::string, std::string> env{
      {"MAYFLY_RUNTIME_DIR", (runtime.path() / "run").string()}, {"MAYFLY_POOL", ""}, {"MAYFLY_POOL_LINGER", "1ms"}};
  const ProcessResult result = run_inner("Clean.*:Reset*:Shared*:WithoutFixture.*", env);
  EXPECT_TRUE(result.ok()) << result.out;
  // It ends with its last user, but nobody waits for it.
  for (const Deadline deadline = Deadline::after(30s); fs::exists(runtime.path() / "run") && !deadline.passed();) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_FALSE(fs::exists(runtime.path() / "run"));
}

TEST_F(Fixture, ProfilesAreParameters) {
  const ProcessResult result = run_inner("*/OnEach.*");
  EXPECT_TRUE(result.ok()) << result.out;
  EXPECT_THAT(result.out, AllOf(HasSubstr("Both/OnEach.IsNamedAfterItsProfile/host"),
                                HasSubstr("Both/OnEach.IsNamedAfterItsProfile/other")));
}

TEST_F(Fixture, IsNotNeeded) {
  const ProcessResult result = run_inner("WithoutFixture.*");
  EXPECT_TRUE(result.ok()) << result.out;
}

TEST_F(Fixture, CanRunAgainAndAgain) {
  const ProcessResult result = run_inner("Clean.*:Shared.*:-*.none", {{"GTEST_REPEAT", "3"}});
  EXPECT_TRUE(result.ok()) << result.out;
}

TEST_F(Fixture, FailureNamesItsArtifacts) {
  const ProcessResult result = run_inner("Fails.InAnExpectation");
  EXPECT_EQ(result.exit_code, 1);
  const std::string directory = (artifacts() / "Fails.InAnExpectation").string();
  EXPECT_THAT(result.out, HasSubstr("\n[ARTIFACTS ] " + directory + "\n"));
  EXPECT_THAT(read_file(xml()), HasSubstr("<property name=\"mayfly_artifacts\" value=\"" + directory + "\"/>"));
  EXPECT_THAT(artifact("Fails.InAnExpectation/failure.txt"),
              AllOf(HasSubstr("inner_test.cpp:"), HasSubstr("Expected: succeeds and its stdout has substring")));
  for (const char* name : {"processes.txt", "profile.toml"}) {
    EXPECT_TRUE(fs::exists(fs::path(directory) / name)) << name;
  }
}

TEST_F(Fixture, FailureTextsReadWell) {
  const std::string out =
      std::regex_replace(run_inner("Fails.InAnExpectation").out, std::regex("after [0-9]+ms"), "after 5ms");
  EXPECT_THAT(out, HasSubstr(R"(Expected: succeeds and its stdout has substring "output"
  Actual: $ sh -c 'echo some output; echo a complaint >&2; exit 3'
    stdout: "some output\n"
    stderr: "a complaint\n"
    exit code 3 after 5ms (of type mayfly::ExecResult))"));
  EXPECT_THAT(out, HasSubstr("Expected: (is a regular file) and (has mode 0600)\n"
                             "  Actual: /etc/passwd: regular file, mode 0644, root:root, "));
}

TEST_F(Fixture, EarlierArtifactsOfATestAreReplacedByItsNextFailure) {
  fs::create_directories(artifacts() / "Fails.ByAnException");
  write_file(artifacts() / "Fails.ByAnException" / "old", "");
  (void)run_inner("Fails.ByAnException");
  EXPECT_FALSE(fs::exists(artifacts() / "Fails.ByAnException" / "old"));
  EXPECT_THAT(artifact("Fails.ByAnException/failure.txt"),
              AllOf(HasSubstr("a complaint"), HasSubstr("\n  while at " MAYFLY_TEST_DIR "/fixture/inner_test.cpp:")));
}

TEST_F(Fixture, FailureInSetUpHasArtifactsToo) {
  const ProcessResult result = run_inner("FailsInSetUp.*");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, Not(HasSubstr("the body ran")));
  EXPECT_TRUE(fs::exists(artifacts() / "FailsInSetUp.BodyIsNotRun" / "profile.toml"));
}

TEST_F(Fixture, AContainerThatDiesFailsItsTestAndLeavesItsLogs) {
  const ProcessResult result = run_inner("Dies.*");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("dies.toml: Failure"), HasSubstr("exited with status 3"),
                                HasSubstr("no such disk"), HasSubstr("[ARTIFACTS ] "), Not(HasSubstr("the body ran"))));
  EXPECT_THAT(artifact("Dies.BodyIsNotRun/console.log"), HasSubstr("no such disk"));
  EXPECT_THAT(artifact("Dies.BodyIsNotRun/failure.txt"), HasSubstr("exited with status 3"));
}

TEST_F(Fixture, ASuiteWhoseContainerDiesFailsEachTestAndIsStartedOnce) {
  const ProcessResult result = run_inner("DiesForAll.*");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("[  FAILED  ] 2 tests"), Not(HasSubstr("the body ran"))));
  EXPECT_TRUE(fs::exists(artifacts() / "DiesForAll.First" / "console.log"));
  EXPECT_FALSE(fs::exists(artifacts() / "DiesForAll.Second" / "console.log")) << "it was started again";
}

TEST_F(Fixture, ASharedContainerThatHasDiedIsNoPuzzle) {
  const ProcessResult result = run_inner("InitKilled.*");
  EXPECT_THAT(result.out,
              HasSubstr("the suite's container has stopped during an earlier test: init was killed by signal 9"));
}

TEST_F(Fixture, ASessionThatCannotEndCleanlyFailsTheRun) {
  const ProcessResult result = run_inner("KeeperKilled.*");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("end of Mayfly's session: "));
  // The next session cleans up what the killed keeper has left.
  EXPECT_TRUE(run_inner("Clean.WritesAFile").ok());
}

TEST_F(Fixture, AFailingManifestFailsItsTest) {
  const ProcessResult result = run_inner("ManifestFails.*");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("manifest_fails.toml: Failure"), HasSubstr("broken")));
  EXPECT_TRUE(fs::exists(artifacts() / "ManifestFails.BodyIsNotRun" / "profile.toml"));
}

TEST_F(Fixture, AMissingProfileNamesThePlacesSearched) {
  const ProcessResult result = run_inner("Missing.*");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              HasSubstr("no_such_profile.toml: Failure\nFailed\n"
                        "profile 'no_such_profile.toml' not found: searched '" MAYFLY_TEST_DIR "/fixture', '/'"));
}

TEST_F(Fixture, WithoutRootTestsAreSkippedUnlessRequired) {
  test::require_program("setpriv");
  if (IsSkipped()) {
    return;
  }
  fs::permissions(xml().parent_path(), fs::perms::all);
  const std::vector<std::string> as_nobody{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  if (!run_inner("None", {}, as_nobody).ok()) {
    mayfly::test::require(false, "needs a build directory that others may read");
    return;
  }
  const ProcessResult skipped = run_inner("Clean.*", {{"MAYFLY_REQUIRE", ""}}, as_nobody);
  EXPECT_TRUE(skipped.ok()) << skipped.out;
  EXPECT_THAT(skipped.out, AllOf(HasSubstr("needs root"), HasSubstr("[  SKIPPED ] 4 tests")));
  const ProcessResult required = run_inner("Clean.*", {{"MAYFLY_REQUIRE", "all"}}, as_nobody);
  EXPECT_EQ(required.exit_code, 1);
  EXPECT_THAT(required.out, HasSubstr("root"));
}

}  // namespace
}  // namespace mayfly
