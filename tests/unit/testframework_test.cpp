// Catch2, doctest and plain programs in a test run.
#include <gmock/gmock.h>

#include <csignal>
#include <string>
#include <vector>

#include "mayfly/exec/test_framework.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/testrun/catch_xml.h"
#include "mayfly/testrun/framework.h"
#include "mayfly/testrun/outcome.h"
#include "mayfly/testrun/plan.h"

namespace mayfly {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using Outcome = JunitCase::Outcome;

std::string recorded(const std::string& name) { return read_file(MAYFLY_TEST_DIR "/data/testrun/" + name); }

TEST(CatchXml, OfCatch2HasEveryCaseOnce) {
  for (const char* file : {"catch2-2.13.xml", "catch2-3.7.xml"}) {
    SCOPED_TRACE(file);
    const std::vector<JunitSuite> suites = parse_catch_xml(recorded(file));
    ASSERT_THAT(suites, SizeIs(1));
    const std::vector<JunitCase>& cases = suites[0].cases;
    ASSERT_THAT(cases, ElementsAre(Field(&JunitCase::name, "passes"), Field(&JunitCase::name, "asserts nothing"),
                                   Field(&JunitCase::name, "fails, with a comma"),
                                   Field(&JunitCase::name, "odd \"name\" [x] \\ ~y"), Field(&JunitCase::name, "throws"),
                                   Field(&JunitCase::name, "crashes")));
    EXPECT_EQ(cases[1].outcome, Outcome::passed);
    EXPECT_EQ(cases[2].outcome, Outcome::failed);
    EXPECT_THAT(cases[2].message, HasSubstr("catch2_cases.cpp:36: CHECK( answer == 42 )"));
    EXPECT_THAT(cases[2].details, AllOf(HasSubstr("with expansion: 41 == 42"), HasSubstr("a remark")));
    EXPECT_EQ(cases[2].out, "some output of it");
    EXPECT_THAT(cases[3].details, AllOf(HasSubstr("in section: two"), Not(HasSubstr("in section: one"))));
    EXPECT_THAT(cases[4].details, HasSubstr("unexpected exception: boo"));
    EXPECT_EQ(cases[5].outcome, Outcome::error);
    EXPECT_THAT(cases[5].message, HasSubstr("catch2_cases.cpp:43: ended by SIGSEGV"));
  }
}

TEST(CatchXml, OfDoctestHasItsSuites) {
  const std::vector<JunitSuite> suites = parse_catch_xml(recorded("doctest-2.4.xml"));
  ASSERT_THAT(suites, ElementsAre(Field(&JunitSuite::name, "")));
  const std::vector<JunitCase>& cases = suites[0].cases;
  ASSERT_THAT(cases, SizeIs(5)) << "what wasn't chosen or is left out isn't there";
  EXPECT_EQ(cases[0].outcome, Outcome::passed);
  EXPECT_THAT(cases[1].details, AllOf(HasSubstr("CHECK( answer == 42 )"), HasSubstr("a remark")));
  EXPECT_THAT(cases[2].details, HasSubstr("in section: two"));
}

TEST(CatchXml, KnowsWhatIsSkipped) {
  const std::vector<JunitSuite> suites = parse_catch_xml(
      "<?xml version=\"1.0\"?><Catch2TestRun name=\"x\"><TestCase name=\"a\"><Skip filename=\"x.cpp\" line=\"1\">\n"
      "  needs a moon\n</Skip><OverallResult success=\"true\" skips=\"1\" durationInSeconds=\"0.5\"/></TestCase>"
      "</Catch2TestRun>");
  EXPECT_EQ(suites.at(0).cases.at(0).outcome, Outcome::skipped);
  EXPECT_EQ(suites.at(0).cases.at(0).message, "needs a moon");
  EXPECT_EQ(suites.at(0).cases.at(0).duration, Milliseconds(500));
}

TEST(CatchXml, WhatIsCutOffOrSomethingElseIsNone) {
  const std::string whole = recorded("catch2-2.13.xml");
  EXPECT_THROW((void)parse_catch_xml(whole.substr(0, whole.size() / 2)), Error);
  EXPECT_THROW((void)parse_catch_xml(""), Error);
  EXPECT_THROW((void)parse_catch_xml("<?xml version=\"1.0\"?><testsuites/>"), Error);
}

TEST(CatchListing, HasSuitesAndNames) {
  EXPECT_THAT(
      parse_catch_listing("Hello.\n" + recorded("doctest-list-2.4.xml")),
      ElementsAre(ListedSuite{"", {"passes", "fails, with a comma", "odd \"name\" [x] \\ ~y", "throws", "Passes"}},
                  ListedSuite{"Place", {"is clean", "is clean, too"}}));
  EXPECT_THAT(parse_catch_listing("<?xml version=\"1.0\"?><MatchingTests><TestCase><Name>a &amp; b</Name><ClassName/>"
                                  "</TestCase></MatchingTests>"),
              ElementsAre(ListedSuite{"", {"a & b"}}));
  EXPECT_THROW((void)parse_catch_listing(recorded("doctest-2.4.xml")), Error) << "it has run them";
}

TEST(Selection, IsEscapedForItsFramework) {
  const std::vector<TestName> tests{{"", "a, b"}, {"", "~[c] \"d\" \\"}};
  EXPECT_THAT(selection(TestFramework::catch2, tests), ElementsAre("a\\, b,\\~\\[c\\] \\\"d\\\" \\\\"));
  EXPECT_THAT(selection(TestFramework::doctest, tests),
              ElementsAre("--dt-case-sensitive=true", "--dt-test-case=a\\, b,~[c] \"d\" \\\\"));
  EXPECT_THAT(selection(TestFramework::doctest, std::vector<TestName>{{"S", "a"}}),
              ElementsAre("--dt-case-sensitive=true", "--dt-test-suite=S", "--dt-test-case=a"));
  EXPECT_THAT(selection(TestFramework::gtest, std::vector<TestName>{{"S", "a-b"}}),
              ElementsAre("--gtest_filter=S.a?b"));
  EXPECT_THAT(selection(TestFramework::plain, tests), IsEmpty());
}

TestPlan plan_of(TestFramework framework, const std::vector<ListedSuite>& suites, const PlanOptions& options) {
  return plan_processes({{.file = "/b/t", .name = "t", .suites = suites, .framework = framework}}, options);
}

TEST(Plan, AProgramMayHaveOneProcess) {
  const std::vector<ListedSuite> suites{{"One", {"A", "DISABLED_B"}}, {"Two", {"C"}}};
  const TestPlan plan = plan_of(TestFramework::gtest, suites, {.isolation = Isolation::binary});
  ASSERT_THAT(plan.processes, SizeIs(1));
  EXPECT_TRUE(plan.processes[0].whole);
  EXPECT_EQ(plan.processes[0].name, "");
  EXPECT_THAT(plan.processes[0].tests, ElementsAre(TestName{"One", "A"}, TestName{"Two", "C"}));
  EXPECT_EQ(plan.disabled, 1U);
}

TEST(Plan, AProgramWithoutSuitesIsOne) {
  const std::vector<ListedSuite> cases{{"", {"a", "DISABLED_b", "c"}}};
  const TestPlan whole = plan_of(TestFramework::catch2, cases, {});
  ASSERT_THAT(whole.processes, SizeIs(1));
  EXPECT_TRUE(whole.processes[0].whole);
  EXPECT_THAT(whole.processes[0].tests, SizeIs(3)) << "such a name is nothing special elsewhere";
  EXPECT_THAT(plan_of(TestFramework::catch2, cases, {.isolation = Isolation::test_case}).processes,
              ElementsAre(Field(&TestProcess::name, "a"), Field(&TestProcess::name, "DISABLED_b"),
                          Field(&TestProcess::name, "c")));
  const TestPlan shard = plan_of(TestFramework::catch2, cases, {.shard = {.index = 1, .total = 2}});
  ASSERT_THAT(shard.processes, SizeIs(1));
  EXPECT_FALSE(shard.processes[0].whole);
  EXPECT_THAT(shard.processes[0].tests, ElementsAre(TestName{"", "DISABLED_b"}));
}

TEST(Outcome, OfAPlainProgramIsItsExitCode) {
  const TestProcess process{.framework = TestFramework::plain, .tests = {{"", "smoke"}}, .name = {}};
  TestProgress progress(TestFramework::plain);
  progress.read("[ RUN      ] not gtest\nno end");
  EXPECT_FALSE(outcome_of(process, {}, std::nullopt, progress).failed());
  const TestOutcome failed = outcome_of(process, {.exit_code = 3}, std::nullopt, progress);
  ASSERT_THAT(failed.cases, ElementsAre(Field(&JunitCase::name, "smoke")));
  EXPECT_EQ(failed.cases[0].message, "exited with 3");
  EXPECT_EQ(failed.cases[0].out, "[ RUN      ] not gtest\nno end");
  EXPECT_EQ(outcome_of(process, {.signal = SIGSEGV}, std::nullopt, progress).cases[0].message,
            "killed by SIGSEGV (Segmentation fault)");
}

TEST(Outcome, ACrashThatTheFrameworkTellsOfIsTheCases) {
  const TestProcess process{
      .framework = TestFramework::catch2, .tests = {{"", "passes"}, {"", "crashes"}, {"", "never begun"}}, .name = {}};
  const TestOutcome outcome = outcome_of(process, {.signal = SIGSEGV}, recorded("catch2-2.13.xml"), {});
  EXPECT_EQ(outcome.problem, "killed by SIGSEGV (Segmentation fault) while crashes ran");
  EXPECT_THAT(outcome.cases, SizeIs(6)) << "no case stands for the process";
  EXPECT_THAT(outcome.not_run, ElementsAre(TestName{"", "never begun"}));
}

TEST(FrameworksIn, AreKnownByTheirHelp) {
  EXPECT_THAT(frameworks_in("/proc/self/exe"), ElementsAre(TestFramework::gtest));
  EXPECT_THAT(frameworks_in("/bin/true"), IsEmpty());
  EXPECT_THAT(frameworks_in(MAYFLY_TEST_DIR "/data/testrun/list-1.12.txt"), IsEmpty()) << "no ELF file";
  EXPECT_THROW((void)frameworks_in("/nowhere"), Error);
}

}  // namespace
}  // namespace mayfly
