#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "mayfly/scenario/matrix.h"
#include "mayfly/scenario/plan.h"
#include "mayfly/scenario/report.h"

namespace mayfly {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Step = ScenarioStep;

Profile parse(std::string_view toml) { return parse_profile(toml, "web.toml", "/"); }

std::vector<std::string> names_of(const std::vector<Profile>& profiles) {
  std::vector<std::string> names;
  for (const Profile& profile : profiles) names.push_back(profile.name);
  return names;
}

TEST(ExpandMatrix, GivesAProfileWithoutAMatrixBack) {
  const Profile profile = parse("hostname = \"x\"");
  EXPECT_THAT(expand_matrix(profile), ElementsAre(profile));
}

TEST(ExpandMatrix, NamesEveryCombinationTheLastAxisFastest) {
  const Profile profile = parse(R"(
    image = { source = "debian", suite = "bookworm" }
    [matrix]
    suite    = ["bookworm", "trixie"]
    env.ROLE = ["web", "db"]
  )");
  EXPECT_THAT(names_of(expand_matrix(profile)),
              ElementsAre("web[suite=bookworm,ROLE=web]", "web[suite=bookworm,ROLE=db]", "web[suite=trixie,ROLE=web]",
                          "web[suite=trixie,ROLE=db]"));
}

TEST(ExpandMatrix, SetsWhatTheAxisIsAbout) {
  const std::vector<Profile> cells = expand_matrix(parse(R"(
    image = { source = "debian", suite = "bookworm" }
    matrix = { suite = ["trixie"], network = ["nat"], privileged = [true] }
  )"));
  ASSERT_EQ(cells.size(), 1U);
  EXPECT_EQ(std::get<DebianImage>(cells[0].image).suite, "trixie");
  EXPECT_EQ(cells[0].network, Network::nat);
  EXPECT_TRUE(cells[0].privileged);
  EXPECT_THAT(cells[0].matrix, IsEmpty());
}

TEST(ExpandMatrix, GivesVariablesToTheMachineAndToEveryStep) {
  const std::vector<Profile> cells = expand_matrix(parse(R"(
    prepare   = [{ shell = { inline = "a", env = { ROLE = "old", KEPT = "1" } } }]
    provision = [{ ansible = { playbook = "etc/passwd", vars = { n = 1 } } }]
    [matrix]
    env.ROLE = ["web"]
    vars.n   = ["two"]
  )"));
  ASSERT_EQ(cells.size(), 1U);
  EXPECT_EQ(cells[0].name, "web[ROLE=web,n=two]");
  EXPECT_EQ(cells[0].env.at("ROLE"), "web");
  EXPECT_THAT(std::get<ShellStep>(cells[0].prepare.at(0).action).env,
              ElementsAre(testing::Pair("KEPT", "1"), testing::Pair("ROLE", "web")));
  EXPECT_EQ(std::get<AnsibleStep>(cells[0].provision.at(0).action).vars.at("n"), "\"two\"");
}

constexpr std::string_view kFull = R"(
  prepare     = [{ shell = { inline = "a" } }]
  provision   = [{ shell = { inline = "b" } }]
  side_effect = [{ shell = { inline = "c" } }]
  cleanup     = [{ shell = { inline = "d" } }]
  check       = [{ port = 80 }]
)";

std::vector<Step> run_by(const Profile& profile, const StepSelection& selection = {}) {
  std::vector<Step> steps;
  for (const PlannedStep& step : plan_steps(profile, selection)) {
    if (step.runs()) steps.push_back(step.step);
  }
  return steps;
}

std::string why_not(const Profile& profile, Step step, const StepSelection& selection = {}) {
  return plan_steps(profile, selection).at(static_cast<std::size_t>(step)).why_skipped;
}

TEST(PlanSteps, TakesAllStepsInTheirOrder) {
  EXPECT_THAT(run_by(parse(kFull)),
              ElementsAre(Step::lint, Step::create, Step::prepare, Step::converge, Step::idempotence, Step::side_effect,
                          Step::verify, Step::cleanup, Step::destroy));
}

TEST(PlanSteps, LeavesOutWhatTheProfileHasNothingFor) {
  EXPECT_THAT(run_by(parse("")), ElementsAre(Step::create, Step::destroy));
  EXPECT_EQ(why_not(parse(""), Step::verify), "the profile has no [[check]]");
  EXPECT_FALSE(plan_steps(parse("")).at(static_cast<std::size_t>(Step::verify)).configured);
}

TEST(PlanSteps, HeedsTheProfile) {
  const Profile skips = parse(std::string(kFull) + "scenario.skip = [\"lint\"]\nidempotence.skip = true\n");
  EXPECT_EQ(why_not(skips, Step::lint), "the profile skips it");
  EXPECT_EQ(why_not(skips, Step::idempotence), "the profile skips it");
  EXPECT_THAT(run_by(parse(std::string(kFull) + "scenario.steps = [\"converge\"]\n")),
              ElementsAre(Step::create, Step::prepare, Step::converge, Step::destroy));
}

TEST(PlanSteps, BringsWhatAStepNeeds) {
  const Profile profile = parse(kFull);
  EXPECT_THAT(run_by(profile, {.steps = {Step::lint}}), ElementsAre(Step::lint));
  EXPECT_THAT(run_by(profile, {.steps = {Step::create}}), ElementsAre(Step::create, Step::destroy));
  EXPECT_THAT(run_by(profile, {.steps = {Step::verify}}),
              ElementsAre(Step::create, Step::prepare, Step::converge, Step::verify, Step::destroy));
  EXPECT_EQ(why_not(profile, Step::destroy, {.steps = {Step::lint}}), "there is no machine");
}

TEST(PlanSteps, FetchesDependenciesWhereAManifestNamesAny) {
  Profile profile = parse(kFull);
  EXPECT_EQ(why_not(profile, Step::dependency), "the manifests name none");
  profile.provision = {{.action = AnsibleStep{.playbook = "/site.yml", .requirements = "/requirements.yml"}}};
  EXPECT_THAT(run_by(profile, {.steps = {Step::lint}}), ElementsAre(Step::dependency, Step::lint));
}

TEST(PlanSteps, TakesOptionalStepsWhenTheyAreAskedFor) {
  EXPECT_FALSE(plan_steps(parse(kFull)).at(static_cast<std::size_t>(Step::check)).configured);
  const Profile asks = parse(std::string(kFull) + "scenario.also = [\"check\"]\n");
  EXPECT_EQ(why_not(asks, Step::check), "");
  EXPECT_EQ(why_not(asks, Step::reproducible), "not asked for");
  EXPECT_EQ(why_not(asks, Step::reproducible, {.also = {Step::reproducible}}), "");
  EXPECT_THAT(run_by(parse(kFull), {.steps = {Step::reproducible}}),
              ElementsAre(Step::create, Step::prepare, Step::converge, Step::reproducible, Step::destroy));
}

TEST(PlanSteps, UpgradesFromAnOlderProfile) {
  EXPECT_EQ(why_not(parse(kFull), Step::upgrade, {.also = {Step::upgrade}}),
            "the profile has no 'upgrade_from' in [scenario]");
  EXPECT_EQ(why_not(parse(std::string(kFull) + "scenario.upgrade_from = \"etc/passwd\"\n"), Step::upgrade), "");
}

TEST(PlanSteps, LetsTheCommandGoBeforeTheProfile) {
  const Profile profile = parse(std::string(kFull) + "scenario.skip = [\"lint\", \"idempotence\"]\n");
  EXPECT_THAT(run_by(profile, {.steps = {Step::lint}}), ElementsAre(Step::lint));
  EXPECT_EQ(why_not(profile, Step::verify, {.skip = {Step::verify}}), "skipped by --skip");
  EXPECT_EQ(why_not(profile, Step::lint, {.skip = {Step::verify}}), "the profile skips it");
}

TEST(PlanSteps, KnowsWhichManifestsRun) {
  const Profile profile = parse(kFull);
  const auto scripts = [&](const StepSelection& selection) {
    std::string all;
    for (const ProvisionStep& step : provision_steps(profile, plan_steps(profile, selection))) {
      all += std::get<ShellStep>(step.action).inline_script;
    }
    return all;
  };
  EXPECT_EQ(scripts({}), "abcd");
  EXPECT_EQ(scripts({.steps = {Step::converge}}), "ab");
  EXPECT_EQ(scripts({.steps = {Step::lint}}), "");
}

TEST(PlanSteps, DoesNothingToAMachineThatIsNotMade) {
  EXPECT_THAT(run_by(parse(kFull), {.skip = {Step::create}}), ElementsAre(Step::lint));
  EXPECT_EQ(why_not(parse(kFull), Step::verify, {.skip = {Step::create}}), "there is no machine");
}

ScenarioReport failed_report() {
  ScenarioReport report{.name = "web"};
  report.steps = {{.step = Step::create, .duration = Milliseconds(1200), .detail = "debian bookworm"},
                  {.step = Step::prepare, .outcome = StepReport::Outcome::skipped, .configured = false},
                  {.step = Step::idempotence, .outcome = StepReport::Outcome::skipped, .detail = "left out"},
                  {.step = Step::verify, .outcome = StepReport::Outcome::failed, .detail = "1 of 2 checks hold"}};
  report.checks = {{.title = "service nginx: running"},
                   {.title = "port 80: listening", .mismatches = {"listening: expected true, is false"}}};
  return report;
}

TEST(ScenarioJunit, HasACaseForEachStepAndCheck) {
  const JunitSuite suite = junit_suite(failed_report());
  EXPECT_THAT(suite.cases,
              ElementsAre(Field(&JunitCase::name, "create"), Field(&JunitCase::name, "idempotence"),
                          Field(&JunitCase::name, "verify"), Field(&JunitCase::name, "service nginx: running"),
                          Field(&JunitCase::name, "port 80: listening")));
  EXPECT_EQ(suite.cases.at(1).outcome, JunitCase::Outcome::skipped);
  EXPECT_EQ(suite.cases.at(2).message, "1 of 2 checks hold");
  EXPECT_EQ(suite.cases.at(4).outcome, JunitCase::Outcome::failed);
  EXPECT_EQ(suite.cases.at(4).message, "listening: expected true, is false");
}

TEST(ScenarioJunit, TimesAddUpToThatOfAllSteps) {
  ScenarioReport report = failed_report();
  report.steps.at(3).duration = Milliseconds(500);
  report.checks.at(0).duration = Milliseconds(20);
  report.checks.at(1).duration = Milliseconds(30);
  const JunitSuite suite = junit_suite(report);
  EXPECT_EQ(suite.cases.at(2).duration, Milliseconds(450)) << "what isn't a check's own";
  EXPECT_EQ(suite.cases.at(4).duration, Milliseconds(30));
  EXPECT_THAT(render_junit({suite}), HasSubstr(R"(failures="2" errors="0" skipped="1" time="1.700" timestamp)"));
  report.checks.at(0).duration = report.checks.at(1).duration = Milliseconds(480);  // they waited side by side
  EXPECT_EQ(junit_suite(report).cases.at(2).duration, Milliseconds(0));
  EXPECT_THAT(render_junit({junit_suite(report)}), testing::Not(HasSubstr("1.701"))) << "time on the wall";
  EXPECT_EQ(junit_suite(report).duration, Milliseconds(1700));
}

TEST(ScenarioJunit, AddsNotesToTheOutput) {
  ScenarioReport report = failed_report();
  report.steps.at(0).notes = {"site.yml:3: warning: x"};
  EXPECT_EQ(junit_suite(report).cases.at(0).out, "site.yml:3: warning: x\n");
  EXPECT_THAT(render_json({report}), HasSubstr(R"("notes":["site.yml:3: warning: x"])"));
}

TEST(ScenarioJunit, TellsAHostFailureFromTheMachines) {
  ScenarioReport report{.name = "web"};
  report.steps = {{.step = Step::create,
                   .outcome = StepReport::Outcome::failed,
                   .error = "no\n  while preparing",
                   .by_host = true}};
  EXPECT_TRUE(report.host_failed());
  EXPECT_EQ(junit_suite(report).cases.at(0).outcome, JunitCase::Outcome::error);
  EXPECT_EQ(junit_suite(report).cases.at(0).message, "no");
}

TEST(ScenarioJunit, AddsTheOutputOfATaskThatFailed) {
  ScenarioReport report{.name = "web"};
  report.steps = {{.step = Step::converge, .outcome = StepReport::Outcome::failed, .error = "no"}};
  report.steps[0].result = ConvergeResult{.output = "fatal: x\n"};
  EXPECT_EQ(junit_suite(report).cases.at(0).out, "fatal: x\n");
}

TEST(ScenarioJson, HoldsStepsTasksChangesAndChecks) {
  ScenarioReport report = failed_report();
  report.steps[0].result =
      ConvergeResult{.tasks = {{.name = "install \xff", .status = TaskResult::Status::changed, .where = "site.yml:3"}}};
  report.steps[0].changes = StateDiff{
      .changes = {{.resource = ResourceKind::package, .name = "nginx", .kind = StateChange::Kind::added}},
      .ignored = {{.change = {.name = "/var/log/x", .kind = StateChange::Kind::modified}, .reason = "a log"}}};
  const std::string json = render_json({report});
  EXPECT_THAT(json, HasSubstr(R"({"ok":false,"profiles":[{"name":"web")"));
  EXPECT_THAT(json, HasSubstr(R"({"name":"install )"
                              "\xEF\xBF\xBD"
                              R"(","status":"changed","where":"site.yml:3"})"));
  EXPECT_THAT(json, HasSubstr(R"("changes":[{"kind":"added","resource":"package","name":"nginx"}])"));
  EXPECT_THAT(json, HasSubstr(R"("reason":"a log")"));
  EXPECT_THAT(
      json,
      HasSubstr(R"({"title":"port 80: listening","ok":false,"seconds":0E0,"mismatches":["listening: expected true)"));
  EXPECT_THAT(json, HasSubstr(R"({"step":"idempotence","outcome":"skipped","detail":"left out"})"));
}

}  // namespace
}  // namespace mayfly
