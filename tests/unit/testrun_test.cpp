#include <gmock/gmock.h>

#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/session/timeline.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/testrun/durations.h"
#include "mayfly/testrun/gtest_arguments.h"
#include "mayfly/testrun/gtest_xml.h"
#include "mayfly/testrun/listing.h"
#include "mayfly/testrun/merged_report.h"
#include "mayfly/testrun/outcome.h"
#include "mayfly/testrun/plan.h"
#include "mayfly/testrun/test_progress.h"

namespace mayfly {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;
using testing::Pair;
using testing::SizeIs;
using Outcome = JunitCase::Outcome;

std::string recorded(const std::string& name) { return read_file(MAYFLY_TEST_DIR "/data/testrun/" + name); }

TEST(Listing, HasSuitesWithTheirTestsAndNothingElse) {
  EXPECT_THAT(
      parse_listing(recorded("list-1.12.txt")),
      ElementsAre(ListedSuite{"Passes", {"First", "Second"}}, ListedSuite{"SomeDisabled", {"DISABLED_Broken", "Works"}},
                  ListedSuite{"Typed/odd-name:0", {"HasASize"}}, ListedSuite{"Typed/odd-name:1", {"HasASize"}},
                  ListedSuite{"Numbers/WithParameter", {"IsSmall/0", "IsSmall/1"}}));
}

TEST(Listing, OfAnotherProgramIsEmpty) {
  EXPECT_THAT(parse_listing(""), IsEmpty());
  EXPECT_THAT(parse_listing("Usage: x [OPTION]\n  --help  say this\nDone.\n"), IsEmpty());
}

TEST(Listing, KnowsDisabledNames) {
  EXPECT_TRUE(is_disabled("DISABLED_All", "X"));
  EXPECT_TRUE(is_disabled("Some", "DISABLED_X/0"));
  EXPECT_TRUE(is_disabled("Instance/DISABLED_All", "X"));
  EXPECT_FALSE(is_disabled("Some", "NotDISABLED_X"));
}

const std::vector<TestProgram> kPrograms{
    {.file = "/b/a_test", .name = "a_test", .suites = {{"One", {"A", "DISABLED_B", "C"}}, {"Two", {"D"}}}},
    {.file = "/b/b_test", .name = "b_test", .suites = {{"One", {"E", "F"}}}}};

std::vector<std::string> names_of(const TestPlan& plan) {
  std::vector<std::string> names;
  for (const TestProcess& process : plan.processes) {
    names.push_back(kPrograms[process.program].name + ":" + filter_for(process.tests));
  }
  return names;
}

TEST(Plan, GivesEachSuiteAProcess) {
  const TestPlan plan = plan_processes(kPrograms, {});
  EXPECT_THAT(names_of(plan), ElementsAre("a_test:One.A:One.C", "a_test:Two.D", "b_test:One.E:One.F"));
  EXPECT_EQ(plan.disabled, 1U);
}

TEST(Plan, GivesEachCaseAProcess) {
  const TestPlan plan = plan_processes(kPrograms, {.isolation = Isolation::test_case, .disabled_too = true});
  EXPECT_THAT(names_of(plan), ElementsAre("a_test:One.A", "a_test:One.DISABLED_B", "a_test:One.C", "a_test:Two.D",
                                          "b_test:One.E", "b_test:One.F"));
  EXPECT_EQ(plan.processes.front().name, "One.A");
  EXPECT_EQ(plan.disabled, 0U);
}

TEST(Plan, DealsTestsToShardsAsGtestDoes) {
  EXPECT_THAT(names_of(plan_processes(kPrograms, {.shard = {.index = 0, .total = 2}})),
              ElementsAre("a_test:One.A", "a_test:Two.D", "b_test:One.E"));
  EXPECT_THAT(names_of(plan_processes(kPrograms, {.shard = {.index = 1, .total = 2}})),
              ElementsAre("a_test:One.C", "b_test:One.F"));
}

TEST(Plan, ASuiteTooLongForACommandLineGetsSeveralProcesses) {
  TestProgram program{.file = "/b/t", .name = "t", .suites = {{"Big", {}}}};
  for (int i = 0; i < 20'000; ++i) program.suites[0].tests.push_back("Test/" + std::to_string(i));
  const TestPlan plan = plan_processes({program}, {});
  std::size_t tests = 0;
  for (const TestProcess& process : plan.processes) {
    tests += process.tests.size();
    EXPECT_LT(filter_for(process.tests).size(), 131'072U - 100);
  }
  EXPECT_THAT(plan.processes, SizeIs(testing::Gt(1U)));
  EXPECT_EQ(tests, 20'000U);
}

TEST(Plan, FilterStandsForOddNames) { EXPECT_EQ(filter_for({{"Typed/a-b:c*", "X"}}), "Typed/a?b?c?.X"); }

TEST(Plan, UnknownOnesGoFirstThenTheLongest) {
  std::vector<TestProcess> processes;
  for (const char* name : {"short", "new", "long", "newer"}) {
    processes.push_back({.suite = name, .tests = {}, .name = name});
  }
  const std::map<std::string, Milliseconds> known{{"short", Milliseconds(5)}, {"long", Milliseconds(500)}};
  order_by_duration(processes, [&](const TestProcess& process) {
    const auto found = known.find(process.name);
    return found == known.end() ? std::nullopt : std::optional(found->second);
  });
  EXPECT_THAT(processes, ElementsAre(Field(&TestProcess::name, "new"), Field(&TestProcess::name, "newer"),
                                     Field(&TestProcess::name, "long"), Field(&TestProcess::name, "short")));
}

GtestArguments read_arguments(const std::vector<std::string>& arguments,
                              const std::map<std::string, std::string>& environment = {}) {
  return read_gtest_arguments(arguments, [&](const char* name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(GtestArguments, AreTakenApart) {
  const GtestArguments read =
      read_arguments({"--gtest_filter=A.*-A.b", "--gtest_shuffle", "--gtest_also_run_disabled_tests", "--own"});
  EXPECT_EQ(read.filter, "A.*-A.b");
  EXPECT_TRUE(read.disabled_too);
  EXPECT_FALSE(read.fail_fast);
  EXPECT_THAT(read.others, ElementsAre("--gtest_shuffle", "--gtest_also_run_disabled_tests", "--own"));
  EXPECT_TRUE(read_arguments({"--gtest_fail_fast"}).fail_fast);
  EXPECT_FALSE(read_arguments({"--gtest_fail_fast=0"}, {{"GTEST_FAIL_FAST", "1"}}).fail_fast);
}

TEST(GtestArguments, ShardsComeFromTheEnvironment) {
  const GtestArguments read = read_arguments({}, {{"GTEST_TOTAL_SHARDS", "3"}, {"GTEST_SHARD_INDEX", "2"}});
  EXPECT_EQ(read.shard.total, 3U);
  EXPECT_EQ(read.shard.index, 2U);
  EXPECT_THROW((void)read_arguments({}, {{"GTEST_TOTAL_SHARDS", "3"}}), Error);
  EXPECT_THROW((void)read_arguments({}, {{"GTEST_TOTAL_SHARDS", "3"}, {"GTEST_SHARD_INDEX", "3"}}), Error);
  EXPECT_THROW((void)read_arguments({}, {{"GTEST_TOTAL_SHARDS", "x"}, {"GTEST_SHARD_INDEX", "0"}}), Error);
}

TEST(GtestArguments, RefusesWhatMayflySaysItself) {
  EXPECT_THROW((void)read_arguments({"--gtest_output=json:x"}), Error);
  EXPECT_THROW((void)read_arguments({"--gtest_list_tests"}), Error);
}

TEST(GtestXml, HasOutcomesMessagesAndProperties) {
  const std::vector<JunitSuite> suites = parse_gtest_xml(recorded("result-1.12.xml"));
  ASSERT_THAT(suites, ElementsAre(Field(&JunitSuite::name, "Passes"), Field(&JunitSuite::name, "Fails"),
                                  Field(&JunitSuite::name, "Skips"), Field(&JunitSuite::name, "SomeDisabled")));
  EXPECT_THAT(suites[0].cases[1].properties, ElementsAre(Pair("colour", "green")));
  const JunitCase& failed = suites[1].cases[0];
  EXPECT_EQ(failed.outcome, Outcome::failed);
  EXPECT_THAT(failed.message, AllOf(HasSubstr("plain_test.cpp:"), HasSubstr(": Expected equality of these values:")));
  EXPECT_THAT(failed.details, HasSubstr("arithmetic <&> "));
  EXPECT_EQ(suites[1].cases[1].outcome, Outcome::passed);
  EXPECT_EQ(suites[2].cases[0].outcome, Outcome::skipped);
  EXPECT_EQ(suites[2].cases[0].message, "needs a moon");
  EXPECT_THAT(suites[3].cases, ElementsAre(Field(&JunitCase::name, "Works"))) << "disabled ones weren't run";
}

TEST(GtestXml, PropertiesOfASuiteAreAttributesOrElements) {
  const auto properties = [](const std::string& attributes, const std::string& content) {
    return parse_gtest_xml("<testsuites><testsuite name=\"A\" tests=\"1\" time=\"0.5\"" + attributes + ">" + content +
                           "</testsuite></testsuites>")
        .at(0)
        .properties;
  };
  EXPECT_THAT(properties(" mayfly_teardown_ms=\"8.4\"", ""), ElementsAre(Pair("mayfly_teardown_ms", "8.4")));
  EXPECT_THAT(properties("", "<properties><property name=\"a\" value=\"b\"/></properties>"),
              ElementsAre(Pair("a", "b")));
}

TEST(GtestXml, WhatIsCutOffOrSomethingElseIsNone) {
  const std::string whole = recorded("result-1.12.xml");
  EXPECT_THROW((void)parse_gtest_xml(whole.substr(0, whole.size() / 2)), Error);
  EXPECT_THROW((void)parse_gtest_xml(""), Error);
  EXPECT_THROW((void)parse_gtest_xml("<html></html>"), Error);
}

TEST(TestProgress, FollowsTheOutput) {
  TestProgress progress;
  const std::string text = recorded("output-1.12.txt");
  for (const char c : text) progress.read({&c, 1});
  ASSERT_TRUE(progress.running());
  EXPECT_EQ(*progress.running(), "Crashes.Here");
  EXPECT_EQ(progress.output(), "about to crash\n");
  ASSERT_THAT(progress.ended(), SizeIs(6));
  EXPECT_EQ(progress.ended()[2].outcome, Outcome::failed);
  EXPECT_EQ(progress.ended()[2].name, "InAnExpectation");
  EXPECT_THAT(progress.ended()[2].out, HasSubstr("some output of it\n"));
  EXPECT_EQ(progress.ended()[4].outcome, Outcome::skipped);
}

TEST(TestProgress, SeesThroughColoursAndUnfinishedLines) {
  TestProgress progress;
  progress.read(
      "\x1b[0;32m[ RUN      ] \x1b[mA.b\nno end\x1b[0;31m[  FAILED  ] \x1b[mA.b, where GetParam() = 3 (12 ms)\n");
  EXPECT_FALSE(progress.running());
  ASSERT_THAT(progress.ended(), SizeIs(1));
  EXPECT_EQ(progress.ended()[0].class_name, "A");
  EXPECT_EQ(progress.ended()[0].duration, Milliseconds(12));
  EXPECT_EQ(progress.ended()[0].out, "no end\n");
}

TEST(TestProgress, TakesEndlessOutputInLittleMemory) {
  TestProgress progress;
  progress.read("[ RUN      ] A.b\n");
  const std::string piece(1'000'000, 'x');
  for (int i = 0; i < 20; ++i) progress.read(piece);
  for (int i = 0; i < 20'000; ++i) progress.read("a line that isn't long, but one of many\n");
  EXPECT_LT(progress.output().size(), 200'000U);
  progress.read("[       OK ] A.b (3 ms)\n");
  EXPECT_THAT(progress.ended(), SizeIs(1));
}

const TestProcess kProcess{
    .suite = "Crashes", .tests = {{"Crashes", "Before"}, {"Crashes", "Here"}, {"Crashes", "Never"}}, .name = "Crashes"};

TestProgress progress_of(const std::string& text) {
  TestProgress progress;
  progress.read(text);
  return progress;
}

const std::string kUntilHere =
    "[ RUN      ] Crashes.Before\n[       OK ] Crashes.Before (1 ms)\n[ RUN      ] Crashes.Here\nboo\n";

TEST(Outcome, OfAKilledProcessBlamesTheTestThatHadBegun) {
  const TestOutcome outcome =
      outcome_of(kProcess, {.signal = SIGSEGV, .duration = Milliseconds(7)}, std::nullopt, progress_of(kUntilHere));
  EXPECT_TRUE(outcome.failed());
  EXPECT_EQ(outcome.problem, "killed by SIGSEGV (Segmentation fault) and without a result while Crashes.Here ran");
  ASSERT_THAT(outcome.cases, ElementsAre(Field(&JunitCase::name, "Before"), Field(&JunitCase::name, "Here")));
  EXPECT_EQ(outcome.cases[0].outcome, Outcome::passed);
  EXPECT_EQ(outcome.cases[1].outcome, Outcome::error);
  EXPECT_EQ(outcome.cases[1].out, "boo\n");
  EXPECT_EQ(outcome.cases[1].duration, Milliseconds(6));
  EXPECT_THAT(outcome.not_run, ElementsAre(TestName{"Crashes", "Never"}));
}

TEST(Outcome, OfAProcessThatExitsOrHangsSaysSo) {
  EXPECT_EQ(outcome_of(kProcess, {}, std::nullopt, progress_of(kUntilHere)).problem,
            "exited with 0 and without a result while Crashes.Here ran");
  EXPECT_EQ(outcome_of(kProcess, {.signal = SIGKILL, .timed_out = Milliseconds(900'000)}, std::nullopt, {}).problem,
            "still ran after 15min and was killed and without a result before it told of a test");
  EXPECT_THAT(outcome_of(kProcess, {}, "<testsuites><tests", {}).problem,
              AllOf(HasSubstr("exited with 0 and without a whole result (")));
}

TEST(Outcome, OfAMachineThatFailsIsNotTheProgramsFailure) {
  const ProcessEnd end{.exit_code = 3, .machine_failed = true};
  EXPECT_EQ(outcome_of(kProcess, end, std::nullopt, {}).problem,
            "failed with its container ('mayfly run' exited with 3) before it told of a test");
  EXPECT_EQ(outcome_of(kProcess, {.signal = SIGKILL, .machine_failed = true}, std::nullopt, {}).problem,
            "failed with its container ('mayfly run' killed by SIGKILL (Killed)) before it told of a test");
  const TestProcess plain{.framework = TestFramework::plain, .suite = "", .tests = {{"", "plain"}}, .name = ""};
  EXPECT_EQ(outcome_of(plain, end, std::nullopt, {}).cases.at(0).outcome, Outcome::error);
  EXPECT_TRUE(outcome_of(plain, {.machine_failed = true}, std::nullopt, {}).failed());
  EXPECT_EQ(outcome_of(plain, {.exit_code = 3}, std::nullopt, {}).cases.at(0).outcome, Outcome::failed);
}

std::string result_of(const std::vector<std::string>& tests) {
  std::string cases;
  for (const std::string& test : tests) {
    cases += "<testcase name=\"" + test + "\" status=\"run\" result=\"completed\" time=\"0.\" classname=\"Crashes\"/>";
  }
  return "<testsuites><testsuite name=\"Crashes\">" + cases + "</testsuite></testsuites>";
}

TEST(Outcome, AFailureAfterTheTestsIsOne) {
  const std::string all = result_of({"Before", "Here", "Never"});
  EXPECT_FALSE(outcome_of(kProcess, {}, all, {}).failed());
  const TestOutcome leaks = outcome_of(kProcess, {.exit_code = 23}, all, {});
  EXPECT_EQ(leaks.problem, "exited with 23 although no test failed");
  EXPECT_THAT(leaks.cases, SizeIs(4));
  EXPECT_EQ(outcome_of(kProcess, {.signal = SIGABRT}, all, {}).problem,
            "killed by SIGABRT (Aborted) after its last test");
}

TEST(Outcome, ATestThatIsMissingInTheResultIsAFailure) {
  const TestOutcome outcome = outcome_of(kProcess, {}, result_of({"Before"}), {});
  EXPECT_EQ(outcome.problem, "exited with 0, and its results lack 2 of 3 tests, the first of them Crashes.Here");
  EXPECT_THAT(outcome.not_run, ElementsAre(TestName{"Crashes", "Here"}, TestName{"Crashes", "Never"}));
}

TEST(Outcome, SkipsFailWhereEverythingIsRequired) {
  TestOutcome outcome{
      .cases = {{.name = "x", .class_name = "A", .outcome = Outcome::skipped, .message = "needs root"}}};
  EXPECT_FALSE(outcome.failed());
  fail_skipped(outcome);
  EXPECT_TRUE(outcome.failed());
  EXPECT_EQ(outcome.cases[0].message, "skipped, and MAYFLY_REQUIRE=all: needs root");
}

TEST(Merge, JoinsTheProcessesOfASuiteAndSumsItsPhases) {
  const auto process = [](const std::string& test, const std::string& boot) {
    FinishedProcess done{.process = {.suite = "Web", .tests = {{"Web", test}}, .name = "Web." + test},
                         .program = "web_test"};
    done.outcome.cases = {{.name = test,
                           .class_name = "Web",
                           .duration = Milliseconds(30),
                           .properties = {{"mayfly_boot_ms", boot}, {"mayfly_test_ms", "2.5"}}}};
    done.outcome.properties = {{"Web", {{"mayfly_teardown_ms", "1.0"}, {"colour", "green"}}}};
    return done;
  };
  const std::vector<MergedSuite> suites = merge({process("A", "8.4"), process("B", "1.6")});
  ASSERT_THAT(suites, SizeIs(1));
  EXPECT_EQ(suites[0].name, "web_test.Web");
  EXPECT_THAT(suites[0].junit.cases, ElementsAre(Field(&JunitCase::name, "A"), Field(&JunitCase::name, "B")));
  EXPECT_EQ(suites[0].phases.at("boot"), PhaseTimes::Time(10'000));
  EXPECT_EQ(suites[0].phases.at("test"), PhaseTimes::Time(5'000));
  EXPECT_THAT(suites[0].junit.properties, testing::IsSupersetOf({std::pair<std::string, std::string>("colour", "green"),
                                                                 {"mayfly_teardown_ms", "2.0"}}));
}

TEST(Merge, TellsWhyATestWasNotRun) {
  FinishedProcess done{.process = kProcess, .program = "t"};
  done.outcome = outcome_of(kProcess, {.signal = SIGSEGV}, std::nullopt, progress_of(kUntilHere));
  const JunitSuite suite = merge({done}).at(0).junit;
  EXPECT_EQ(suite.cases.back().name, "Never");
  EXPECT_EQ(suite.cases.back().outcome, Outcome::skipped);
  EXPECT_THAT(suite.cases.back().message, HasSubstr("not run: its process killed by SIGSEGV"));
}

TEST(Durations, AreRememberedForEachProgram) {
  const TempDir directory;
  const Paths paths{.runtime = directory.path(), .store = directory.path() / "store"};
  Durations first(paths, "/b/a_test");
  EXPECT_EQ(first.of("Web"), std::nullopt);
  first.remember("Web", Milliseconds(120));
  first.save();
  EXPECT_THAT(Durations(paths, "/b/a_test").of("Web"), Optional(Milliseconds(120)));
  EXPECT_EQ(Durations(paths, "/b/b_test").of("Web"), std::nullopt);
}

TEST(Durations, ThatCannotBeReadAreUnknown) {
  const TempDir directory;
  const Paths paths{.runtime = directory.path(), .store = directory.path()};
  Durations durations(paths, "/b/a_test");
  durations.save();
  for (const auto& entry : std::filesystem::directory_iterator(paths.durations())) write_file(entry.path(), "{\"mill");
  EXPECT_EQ(Durations(paths, "/b/a_test").of("Web"), std::nullopt);
}

TEST(Timeline, PhasesBecomePropertiesAndBack) {
  EXPECT_EQ(property_of_phase("boot"), "mayfly_boot_ms");
  EXPECT_EQ(phase_text(PhaseTimes::Time(8'449)), "8.4");
  EXPECT_THAT(phase_of_property("mayfly_boot_ms", "8.4"), Optional(Pair("boot", PhaseTimes::Time(8'400))));
  EXPECT_EQ(phase_of_property("mayfly_artifacts", "/x"), std::nullopt);
  EXPECT_EQ(phase_of_property("mayfly_boot_ms", "soon"), std::nullopt);
  EXPECT_EQ(phase_of_property("mayfly_ms", "1"), std::nullopt);
  EXPECT_THAT(named({.boot = PhaseTimes::Time(5), .teardown = PhaseTimes::Time(7)}),
              ElementsAre(Pair("boot", PhaseTimes::Time(5)), Pair("teardown", PhaseTimes::Time(7))));
}

}  // namespace
}  // namespace mayfly
