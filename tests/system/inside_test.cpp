// Test bodies that run in a container, by both engines: what arrives of each way to end.
#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
namespace json = boost::json;

/// What gtest's JSON says of one test of inside/inner_test.cpp, and what was printed.
struct Inner {
  bool ran_to_its_end = false;
  std::string result;
  std::vector<std::string> failures{};
  std::string out;
  json::object properties{};
};

Inner run_inner(const std::string& test) {
  const TempDir directory;
  const std::string report = directory.path() / "report.json";
  const ProcessResult result =
      run_process({MAYFLY_INNER_TEST, "--gtest_filter=" + test, "--gtest_output=json:" + report},
                  {.env = {{"MAYFLY_ARTIFACTS_DIR", directory.path() / "artifacts"},
                           {"MAYFLY_PROFILE_PATH", ""},
                           {"MAYFLY_POOL", "off"},
                           {"MAYFLY_INNER_SECRET", "of the host"},
                           {"GTEST_COLOR", "no"}},
                   .timeout = Milliseconds(120'000)});
  Inner inner{.out = result.out + result.err};
  const std::optional<std::string> text = read_file_if_exists(report);
  if (!text) {
    return inner;
  }
  const json::object document = json::parse(*text).as_object();
  const json::object suite = document.at("testsuites").as_array().at(0).as_object();
  inner.properties = suite.at("testsuite").as_array().at(0).as_object();
  inner.ran_to_its_end = true;
  inner.result = inner.properties.at("result").as_string();
  if (const json::value* failures = inner.properties.if_contains("failures")) {
    for (const json::value& failure : failures->as_array()) {
      inner.failures.emplace_back(failure.at("failure").as_string());
    }
  }
  return inner;
}

class Inside : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { test::require_root(); }
  static Inner run(const std::string& test) { return run_inner("Engines/Body." + test + "/" + GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Engines, Inside, ::testing::Values("Fork", "SharedMemory"),
                         [](const auto& instance) { return instance.param; });

class InsideMacro : public ::testing::Test {
 protected:
  void SetUp() override { test::require_root(); }
};

#define EXPECT_PASSED(inner)                             \
  EXPECT_EQ((inner).result, "COMPLETED") << (inner).out; \
  EXPECT_THAT((inner).failures, IsEmpty()) << (inner).out

TEST_P(Inside, IsInTheContainer) {
  EXPECT_PASSED(run("IsInTheContainer"));
  EXPECT_PASSED(run_inner("Engines/PrivilegedBody.IsInTheContainerToo/" + GetParam()));
}

TEST_P(Inside, NeedsNothingInTheImage) {
  EXPECT_PASSED(run_inner("Engines/BareBody.NeedsNothingInTheImage/" + GetParam()));
}

TEST_P(Inside, SeesWhatItCaptures) { EXPECT_PASSED(run("SeesWhatItCaptures")); }
TEST_P(Inside, ReturnsAValue) { EXPECT_PASSED(run("ReturnsAValue")); }
TEST_P(Inside, HasUserDirectoryAndEnvironment) { EXPECT_PASSED(run("HasUserDirectoryAndEnvironment")); }
TEST_P(Inside, RunsThreads) { EXPECT_PASSED(run("RunsThreads")); }

TEST_P(Inside, ReadsNothing) { EXPECT_PASSED(run("ReadsNothing")); }
TEST_P(Inside, ItsEnvironmentIsItsOwn) { EXPECT_PASSED(run("SetsVariables")); }

TEST_P(Inside, MayBecomeAnotherProgram) {
  const Inner inner = run("BecomesAnotherProgram");
  EXPECT_THAT(inner.failures, ElementsAre(HasSubstr("exit status 5")));
  EXPECT_THAT(inner.out, HasSubstr("from the shell"));
  EXPECT_THAT(run("BecomesAProgramThatHangs").failures, ElementsAre(HasSubstr("did not return within 500ms")));
}

TEST_P(Inside, AMessageMayHoldAnyBytes) {
  EXPECT_THAT(run("FailsWithBytesThatAreNoText").failures, ElementsAre(HasSubstr("bytes ")));
}

TEST_P(Inside, KnowsItsOwnFailures) {
  EXPECT_THAT(run("KnowsItsOwnFailures").failures, ElementsAre(HasSubstr("on purpose")));
}

TEST_P(Inside, RecordsProperties) {
  const Inner inner = run("RecordsProperties");
  EXPECT_PASSED(inner);
  EXPECT_EQ(inner.properties.at("before").as_string(), "host");
  EXPECT_EQ(inner.properties.at("inside").as_string(), "yes");
}

TEST_P(Inside, Skips) {
  const Inner inner = run("Skips");
  EXPECT_EQ(inner.result, "SKIPPED");
  EXPECT_THAT(inner.out, HasSubstr("not here"));
}

TEST_P(Inside, FailsNotFatallyWithFileAndLine) {
  const Inner inner = run("FailsNotFatally");
  EXPECT_THAT(inner.failures, ElementsAre(AllOf(ContainsRegex("^/.*inside/inner_test\\.cpp:[0-9]+\n"),
                                                HasSubstr("1 + 1"), EndsWith("first")),
                                          AllOf(HasSubstr("Value of: std::string(\"abc\")"), EndsWith("second"))));
  EXPECT_THAT(inner.out, HasSubstr("the test went on"));
}

TEST_P(Inside, AFatalFailureEndsTheBodyOnly) {
  const Inner inner = run("FailsFatally");
  EXPECT_THAT(inner.failures, ElementsAre(HasSubstr("1 + 1")));
  EXPECT_THAT(inner.out, AllOf(HasSubstr("the test went on"), Not(HasSubstr("never said"))));
}

TEST_P(Inside, KeepsTraces) {
  EXPECT_THAT(run("FailsWithTraces").failures, ElementsAre(ContainsRegex("Google Test trace:\n.*: inner\n.*: outer$")));
}

TEST_P(Inside, ACrashFailsTheTestWithItsPlace) {
  const Inner inner = run("Crashes");
  ASSERT_EQ(inner.failures.size(), 2U) << inner.out;
  EXPECT_THAT(inner.failures[0], HasSubstr("told before"));
  EXPECT_THAT(
      inner.failures[1],
      AllOf(StartsWith(std::string(MAYFLY_INNER_SOURCE) + ":"),
            HasSubstr("The body in the container was killed by SIGSEGV (Segmentation fault); it was here:\n  #0 "),
            HasSubstr("crash_here"), HasSubstr("\nIts last output:\n"), EndsWith("last words")));
  EXPECT_THAT(inner.out, HasSubstr("the test went on"));
}

TEST_P(Inside, AbortIsSeenAsSuch) {
  EXPECT_THAT(run("Aborts").failures, ElementsAre(AllOf(HasSubstr("was killed by SIGABRT (Aborted)"))));
}

TEST_P(Inside, AnUncaughtExceptionFailsTheTest) {
  EXPECT_THAT(run("Throws").failures,
              ElementsAre(HasSubstr("threw an exception that nobody caught: std::out_of_range: no such user")));
}

TEST_P(Inside, ExitFailsTheTest) {
  EXPECT_THAT(run("CallsExit").failures,
              ElementsAre(HasSubstr("ended the process with exit status 3 before it returned")));
  EXPECT_THAT(run("CallsUnderscoreExit").failures,
              ElementsAre(HasSubstr("ended the process with exit status 0 before it returned")));
}

TEST_P(Inside, ABodyThatHangsIsKilled) {
  EXPECT_THAT(run("Hangs").failures,
              ElementsAre(HasSubstr("did not return within 300ms and was killed; it was here:\n")));
  EXPECT_THAT(run("HangsAndHoldsOutSignals").failures,
              ElementsAre(HasSubstr("did not return within 300ms and was killed")));
}

TEST_P(Inside, WithoutItsValueTheTestFails) {
  const Inner inner = run("HasNoValueToReturn");
  EXPECT_THAT(inner.failures, ElementsAre(HasSubstr("exit status 4"), HasSubstr("exit status 4")));
  EXPECT_THAT(inner.out, Not(HasSubstr("never had")));
}

TEST_P(Inside, LosesNothingOfMuch) {
  const Inner inner = run("WritesALot");
  EXPECT_THAT(inner.out, AllOf(HasSubstr("line 0\n"), HasSubstr("\nline 19999\n")));
  EXPECT_EQ(inner.failures.size(), 4U);
}

TEST_F(InsideMacro, RunsTheBodyInside) {
  EXPECT_PASSED(run_inner("Suite.RunsInside"));
  EXPECT_PASSED(run_inner("Suite.RunsOutside"));
  const Inner inner = run_inner("Suite.FailsInside");
  EXPECT_THAT(inner.failures, ElementsAre(HasSubstr("outside")));
  EXPECT_THAT(inner.out, Not(HasSubstr("never said")));
}

TEST_F(InsideMacro, WithParametersRunsTheBodyInside) {
  EXPECT_PASSED(run_inner("Profiles/OnProfile.KnowsItsParameter/host"));
  EXPECT_THAT(run_inner("Profiles/OnProfile.KnowsItsParameter/privileged").failures, ElementsAre(HasSubstr("inside")));
}

}  // namespace
}  // namespace mayfly
