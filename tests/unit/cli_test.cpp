#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "mayfly/cli/app.h"
#include "mayfly/cli/console.h"
#include "mayfly/cli/doctor.h"
#include "mayfly/cli/live_region.h"
#include "mayfly/cli/scenario_text.h"
#include "mayfly/cli/session_list.h"
#include "mayfly/cli/verify_reports.h"
#include "mayfly/cli/verify_view.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// What a run of the command gave back.
struct AppRun {
  int code;
  std::string out, err;
};

AppRun mayfly(std::vector<std::string> arguments) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_app(std::move(arguments));
  std::string out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

TEST(App, WithoutArgumentsShowsTheHelpAndIsAWrongCommandLine) {
  const AppRun run = mayfly({});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("Usage: mayfly"), HasSubstr("mayfly verify web.toml")));
}

TEST(App, HelpNamesTheExitCodes) {
  const AppRun run = mayfly({"--help"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr("Exit codes:"), HasSubstr("doctor"), HasSubstr("--color")));
}

TEST(App, HelpOfRunShowsWhereTheCommandGoes) {
  const AppRun run = mayfly({"run", "--help"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr("PROFILE -- COMMAND [ARGUMENT...]"), HasSubstr("Examples:")));
}

TEST(App, PrintsItsVersion) {
  EXPECT_THAT(mayfly({"version"}).out, testing::MatchesRegex("mayfly [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  EXPECT_EQ(mayfly({"--version"}).out, mayfly({"version"}).out);
}

TEST(App, RefusesAnUnknownOption) {
  const AppRun run = mayfly({"ps", "--jsn"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(StartsWith("mayfly: error: "), HasSubstr("--jsn"), HasSubstr("hint: ")));
}

TEST(App, RefusesAnUnknownColour) {
  const AppRun run = mayfly({"ps", "--color=sometimes"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("--color"), HasSubstr("sometimes"), HasSubstr("always")));
}

TEST(App, RefusesAnUnknownSubcommand) { EXPECT_EQ(mayfly({"frobnicate"}).code, 2); }

TEST(App, NamesTheSubcommandThatWasMeant) {
  const AppRun run = mayfly({"--color=never", "verfy", "web.toml"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("hint: did you mean 'verify'?"));
  EXPECT_THAT(mayfly({"ps", "--jsn"}).err, Not(HasSubstr("did you mean")));
}

TEST(App, EveryCommandThatTakesAProfileHasItsOwnExamples) {
  for (const char* name : {"run", "shell", "verify", "coverage", "mutate", "autoadd", "import-goss"}) {
    const AppRun run = mayfly({name, "--help"});
    EXPECT_EQ(run.code, 0);
    EXPECT_THAT(run.out, HasSubstr(std::string("Examples:\n  mayfly ") + name + " ")) << name;
    EXPECT_THAT(run.out, Not(HasSubstr("mayfly doctor "))) << name << " repeats the general ones";
  }
}

TEST(App, RefusesRunWithoutACommand) {
  const AppRun run = mayfly({"run", "web.toml"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("'mayfly run' needs a command after '--'"));
}

TEST(App, RefusesACommandWhereNoneBelongs) {
  const AppRun run = mayfly({"ps", "--", "true"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("'mayfly ps' takes no command after '--'"));
}

TEST(App, RefusesAnEnvironmentVariableWithoutAValue) {
  const AppRun run = mayfly({"run", "web.toml", "--env", "NAME", "--", "true"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("--env 'NAME' isn't of the form NAME=VALUE"));
}

TEST(App, RefusesATimeoutThatIsNone) {
  const AppRun run = mayfly({"run", "web.toml", "--timeout", "soon", "--", "true"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("--timeout 'soon' is no duration"));
}

TEST(App, TakesAMissingProfileForAWrongCommandLine) {
  const AppRun run = mayfly({"verify", "/nowhere/web.toml"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(StartsWith("mayfly: error: "), HasSubstr("'/nowhere/web.toml': No such file or directory"),
                             HasSubstr("hint: name the profile's TOML file")));
}

TEST(App, PrintsAWrongProfilesDiagnosticsAsTheyAre) {
  const TempDir directory;
  write_file(directory.path() / "web.toml", "[image]\nsuorce = \"host\"\n");
  const AppRun run = mayfly({"verify", directory.path() / "web.toml"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("web.toml:2:1: error: "), Not(HasSubstr("mayfly: error"))));
}

TEST(Colour, IsForTerminalsThatCanAndUsersWhoWant) {
  EXPECT_TRUE(wants_colour(ColourChoice::automatic, true, nullptr, "xterm"));
  EXPECT_TRUE(wants_colour(ColourChoice::automatic, true, "", "xterm"));
  EXPECT_FALSE(wants_colour(ColourChoice::automatic, false, nullptr, "xterm"));
  EXPECT_FALSE(wants_colour(ColourChoice::automatic, true, "1", "xterm"));
  EXPECT_FALSE(wants_colour(ColourChoice::automatic, true, nullptr, "dumb"));
  EXPECT_FALSE(wants_colour(ColourChoice::automatic, true, nullptr, nullptr));
  EXPECT_TRUE(wants_colour(ColourChoice::always, false, "1", nullptr));
  EXPECT_FALSE(wants_colour(ColourChoice::never, true, nullptr, "xterm"));
}

TEST(Colour, WrapsTheTextOrLeavesIt) {
  EXPECT_EQ(Console(true).paint(Style::good, "ok"), "\x1b[32mok\x1b[0m");
  EXPECT_EQ(Console(false).paint(Style::good, "ok"), "ok");
}

TEST(Table, AlignsItsColumns) {
  EXPECT_EQ(format_table({{"A", "NAME", "Z"}, {"long", "x"}}), "A     NAME  Z\nlong  x\n");
}

TEST(App, NamesAllThatIsWrongInSeveralProfiles) {
  const TempDir directory;
  write_file(directory.path() / "a.toml", "netwrok = \"nat\"\n");
  write_file(directory.path() / "b.toml", "[limits]\npids = 0\n");
  const AppRun run = mayfly({"verify", directory.path() / "a.toml", "/nowhere.toml", directory.path() / "b.toml"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("a.toml:1:1: error: "), HasSubstr("mayfly: error: open '/nowhere.toml'"),
                             HasSubstr("b.toml:2:8: error: ")));
}

TEST(App, RefusesAStepThatIsNone) {
  const AppRun run = mayfly({"verify", "web.toml", "--skip", "lint,idempotency"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("--skip 'idempotency' is no step"), HasSubstr("did you mean 'idempotence'?")));
}

TEST(App, RefusesAnUnknownWayToKeep) {
  const AppRun run = mayfly({"verify", "web.toml", "--keep=sometimes"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("--keep 'sometimes' is none of always, onfail, never"));
}

TEST(App, RefusesReportsThatCanNotBeWrittenBeforeAnythingRuns) {
  const TempDir directory;
  write_file(directory.path() / "web.toml", "hostname = \"web\"\n");
  write_file(directory.path() / "file", "");
  for (const std::string option : {"--junit", "--json", "--tap"}) {
    const AppRun run = mayfly({"verify", directory.path() / "web.toml", option, "/nonexistent/x.xml"});
    EXPECT_EQ(run.code, 2);
    EXPECT_THAT(run.err, HasSubstr(option + " '/nonexistent/x.xml' can't be written: No such file or directory\n"));
    EXPECT_EQ(run.out, "");
  }
  const AppRun run = mayfly({"verify", directory.path() / "web.toml", "--artifacts", directory.path() / "file" / "x"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("--artifacts '"), HasSubstr("can't be written: Not a directory")));
}

TEST(ReportFiles, AreLeftAloneByTheirTrial) {
  const TempDir directory;
  write_file(directory.path() / "old.xml", "old");
  VerifyArguments arguments;
  arguments.junit = directory.path() / "old.xml";
  arguments.json = directory.path() / "new.json";
  arguments.artifacts = directory.path() / "a" / "b";
  require_writable_reports(arguments);
  EXPECT_EQ(read_file(arguments.junit), "old");
  EXPECT_FALSE(std::filesystem::exists(arguments.json));
  EXPECT_FALSE(std::filesystem::exists(directory.path() / "a"));
}

TEST(App, TellsASecretThatIsNotSetWithItsPlace) {
  const TempDir directory;
  const std::string profile = directory.path() / "web.toml";
  write_file(profile,
             "[[provision]]\nshell = { inline = \"true\" }\nsecrets = { tok = { env = \"MAYFLY_NO_SUCH\" } }\n");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"verify", profile}, {"run", profile, "--", "true"}, {"mutate", profile}}) {
    const AppRun run = mayfly(command);
    EXPECT_EQ(run.code, 2);
    EXPECT_THAT(
        run.err,
        HasSubstr("web.toml:3:13: error: secret 'tok': the environment variable 'MAYFLY_NO_SUCH' is not set\n"));
  }
}

TEST(App, RefusesNoJobs) { EXPECT_EQ(mayfly({"verify", "web.toml", "-j0"}).code, 2); }

using Step = ScenarioStep;
constexpr auto kFailed = StepReport::Outcome::failed;

ScenarioReport report_of(const std::string& name, std::vector<StepReport> steps) {
  ScenarioReport report{.name = name};
  report.steps = std::move(steps);
  return report;
}

TEST(StepLine, AlignsAndIndentsTheError) {
  const StepReport step{.step = Step::converge,
                        .outcome = kFailed,
                        .duration = Milliseconds(24300),
                        .detail = "3 ok, 0 changed, 1 failed",
                        .error = "ansible site.yml: task 'x' failed\n  while y"};
  EXPECT_EQ(render(step, Console(false)),
            "converge     failed     24.3s  3 ok, 0 changed, 1 failed\n"
            "  ansible site.yml: task 'x' failed\n"
            "    while y");
}

TEST(StepLine, AddsTheEndOfTheOutputForThoseWhoHaveNotSeenIt) {
  StepReport step{.step = Step::converge, .outcome = kFailed, .error = "no"};
  std::string output;
  for (int i = 1; i <= 22; ++i) output += "line " + std::to_string(i) + "\n";
  step.result = ConvergeResult{.succeeded = false, .output = output};
  const std::string text = render(step, Console(false), true);
  EXPECT_THAT(
      text, AllOf(HasSubstr("  no\n    | line 3\n"), testing::EndsWith("\n    | line 22"), Not(HasSubstr("line 2\n"))));
  EXPECT_THAT(render(step, Console(false)), Not(HasSubstr("line")));
  step.result->succeeded = true;  // what the machine tells against it stands in the error
  EXPECT_THAT(render(step, Console(false), true), Not(HasSubstr("line")));
}

TEST(StepLine, LeavesOutWhatWouldSteerTheTerminal) {
  const StepReport step{.step = Step::converge, .outcome = kFailed, .error = "\x1b[2Jno\a"};
  EXPECT_THAT(render(step, Console(false)), testing::EndsWith("\n  no\xEF\xBF\xBD"));
}

TEST(StepLine, AddsTheFirstNotes) {
  StepReport step{.step = Step::lint, .detail = "shellcheck: no errors, 7 remarks"};
  for (int i = 1; i <= 7; ++i) step.notes.push_back("setup.sh:" + std::to_string(i) + ": warning: x");
  EXPECT_EQ(render(step, Console(false)),
            "lint         ok           0ms  shellcheck: no errors, 7 remarks\n"
            "    setup.sh:1: warning: x\n    setup.sh:2: warning: x\n    setup.sh:3: warning: x\n"
            "    setup.sh:4: warning: x\n    setup.sh:5: warning: x\n    ... and 2 more; --json has all");
}

TEST(StepLine, AddsWhatHasChanged) {
  StepReport step{.step = Step::converge};
  step.changes.emplace();
  for (int i = 10; i < 22; ++i) {
    step.changes->changes.push_back({.resource = ResourceKind::file,
                                     .name = "/etc/" + std::to_string(i),
                                     .kind = StateChange::Kind::modified,
                                     .aspects = {{.aspect = "content"}}});
  }
  step.changes->changes.push_back(
      {.resource = ResourceKind::package, .name = "nginx", .kind = StateChange::Kind::added});
  const std::string text = render(step, Console(false), false, true);
  EXPECT_THAT(text, HasSubstr("0ms\n    added     package nginx\n    modified  file /etc/10\n"));
  EXPECT_THAT(text, testing::EndsWith("\n    modified  file /etc/18\n    ... and 3 more; --json has all"));
  EXPECT_THAT(render(step, Console(false)), Not(HasSubstr("nginx")));
  step.step = Step::idempotence;  // its error tells it all
  EXPECT_THAT(render(step, Console(false), false, true), Not(HasSubstr("nginx")));
}

TEST(FailedChecks, AreTheOnesThatDoNotHold) {
  ScenarioReport report = report_of("web", {});
  report.checks = {{.title = "a"}, {.title = "b", .mismatches = {"x\ny"}}};
  EXPECT_EQ(render_failed_checks(report, Console(false)), "  failed  b\n          x\n          y");
}

TEST(InterruptedReport, IsAnErrorOfTheStepThatWasRunning) {
  const ScenarioReport report = interrupted_report(report_of("web", {{.step = Step::create}}), Step::converge);
  EXPECT_EQ(report.steps.size(), 2U);
  EXPECT_TRUE(report.host_failed());
  const JunitCase last = junit_suite(report).cases.at(1);
  EXPECT_EQ(last.name, "converge");
  EXPECT_EQ(last.outcome, JunitCase::Outcome::error);
  EXPECT_EQ(last.message, "interrupted");
  EXPECT_EQ(interrupted_report(report_of("db", {}), std::nullopt).steps.at(0).error, "interrupted before it began");
}

TEST(VerifySummary, ListsTheChecksAndNamesTheFailedSteps) {
  ScenarioReport report = report_of("web", {{.step = Step::create}, {.step = Step::verify, .outcome = kFailed}});
  report.checks = {{.title = "service nginx: running"},
                   {.title = "port 80: listening", .mismatches = {"listening: expected true, is false"}}};
  EXPECT_EQ(render_summary(report, Console(false)),
            "checks: 1 of 2 hold\n"
            "  ok      service nginx: running\n"
            "  failed  port 80: listening\n"
            "          listening: expected true, is false\n"
            "web: failed (verify)");
}

TEST(VerifySummary, SaysHowLongItTook) {
  const ScenarioReport report = report_of("web", {{.step = Step::create, .duration = Milliseconds(1200)},
                                                  {.step = Step::destroy, .duration = Milliseconds(300)}});
  EXPECT_EQ(render_summary(report, Console(false)), "web: verified in 1.5s");
}

TEST(VerifyTable, HasARowForEachProfileAndTheStepsThatMatter) {
  ScenarioReport good =
      report_of("web[suite=trixie]", {{.step = Step::create, .duration = Milliseconds(1200)},
                                      {.step = Step::prepare, .duration = Milliseconds(5)},
                                      {.step = Step::converge, .outcome = StepReport::Outcome::cached},
                                      {.step = Step::destroy, .duration = Milliseconds(300)}});
  good.checks = {{.title = "port 80"}};
  const ScenarioReport bad = report_of(
      "gr\xC3\xBCn", {{.step = Step::create, .outcome = kFailed, .error = "it isn't ready:\n  systemd is starting"},
                      {.step = Step::cleanup, .outcome = kFailed, .detail = "1 failed"}});
  EXPECT_EQ(render_table({good, bad}, Milliseconds(2000), Console(false)),
            "PROFILE            CREATE  CONVERGE  CLEANUP  CHECKS    TIME  RESULT\n"
            "web[suite=trixie]    1.2s    cached        -     1/1  1.505s  verified\n"
            "gr\xC3\xBCn               failed         -   failed       -     0ms  failed\n"
            "gr\xC3\xBCn: create: it isn't ready\n"
            "gr\xC3\xBCn: cleanup: 1 failed\n"
            "1 of 2 verified in 2s");
}

TEST(LiveLines, ShowTheStepOfASingleProfileAsItWillStandThere) {
  EXPECT_THAT(live_lines({{.name = "web", .step = Step::converge, .elapsed = Milliseconds(3260), .last_line = "TASK"}},
                         0, 1, 80, Console(false)),
              ElementsAre("converge     running     3.2s  TASK"));
}

TEST(LiveLines, ShowSeveralProfilesAlignedAndCutToTheTerminal) {
  EXPECT_THAT(live_lines({{.name = "a", .step = Step::create, .elapsed = Milliseconds(100), .last_line = "unpack"},
                          {.name = "longer", .step = Step::side_effect, .last_line = "1234567890"}},
                         1, 4, 47, Console(false)),
              ElementsAre("a       create       running    100ms  unpack",
                          "longer  side_effect  running      0ms  123456..", "1 of 4 done, 2 running"));
}

TEST(LiveLines, StayWithinANarrowTerminal) {
  for (const std::string& line : live_lines({{.name = "web"}, {.name = "db"}}, 0, 2, 10, Console(false))) {
    EXPECT_LE(width(line), 10U) << line;
  }
}

TEST(Fit, CutsBetweenCharactersAndTakesOutWhatMovesTheCursor) {
  EXPECT_EQ(fit("gr\xC3\xBC\xC3\xBC\xC3\xBCn", 6), "gr\xC3\xBC\xC3\xBC\xC3\xBCn");
  EXPECT_EQ(fit("gr\xC3\xBC\xC3\xBC\xC3\xBCn", 5), "gr\xC3\xBC..");
  EXPECT_EQ(fit("\x1b[2Ka\tb\r\n", 80), "a b");
  EXPECT_EQ(fit("abc", 1), ".");
}

TEST(TerminalColumns, TakesTheEnvironmentsFirst) {
  EXPECT_EQ(terminal_columns("132", -1), 132U);
  EXPECT_EQ(terminal_columns(nullptr, -1), 80U);
  EXPECT_EQ(terminal_columns("wide", -1), 80U);
}

TEST(LiveRegion, WritesOverWhatItDrewLast) {
  LiveRegion region;
  EXPECT_EQ(region.redraw("", {"a", "b"}), "\x1b[?7la\x1b[K\nb\x1b[K\n\x1b[J\x1b[?7h");
  EXPECT_EQ(region.redraw("done\n", {"b"}), "\x1b[2A\x1b[Jdone\n\x1b[?7lb\x1b[K\n\x1b[J\x1b[?7h");
  EXPECT_EQ(region.redraw("", {}), "\x1b[1A\x1b[?7l\x1b[J\x1b[?7h");
  EXPECT_EQ(region.redraw("done\n", {}), "done\n");
}

std::vector<SessionInfo> two_sessions() {
  SessionInfo live{.id = "k1", .alive = true, .keeper_pid = 11, .owner_pid = 10, .owner_command = "web_test"};
  live.containers = {{.name = "web-1", .profile = "web", .address = "10.0.2.16", .init_pid = 12, .started_at = 940}};
  return {live, {.id = "k2", .owner_pid = 20, .started_at = 400}};
}

TEST(SessionTable, HasARowForEachContainerAndForEmptySessions) {
  EXPECT_EQ(session_table(two_sessions(), 1000),
            "SESSION  STATE  CONTAINER  PROFILE  ADDRESS    INIT  AGE    STARTED BY\n"
            "k1       alive  web-1      web      10.0.2.16  12    1min   web_test (10)\n"
            "k2       dead   -          -        -          -     10min  - (20)\n");
}

TEST(SessionJson, HoldsEverythingOnOneLine) {
  EXPECT_EQ(session_json(two_sessions()),
            R"({"sessions":[{"id":"k1","alive":true,"keeper_pid":11,"owner_pid":10,"owner_command":"web_test",)"
            R"("started_at":0,"containers":[{"name":"web-1","profile":"web","address":"10.0.2.16","init_pid":12,)"
            R"("started_at":940}]},{"id":"k2","alive":false,"keeper_pid":-1,"owner_pid":20,"owner_command":"",)"
            R"("started_at":400,"containers":[]}]})");
}

TEST(DoctorProbe, TurnsAnExceptionIntoAFailureWithItsHint) {
  const Probe probe{"overlay", []() -> ProbeResult {
                      Error error("mount: Operation not permitted");
                      error.set_hint("be root");
                      throw error;
                    }};
  const ProbeResult result = run_probe(probe);
  EXPECT_EQ(result.status, ProbeResult::Status::failed);
  EXPECT_EQ(render(probe, result, Console(false)),
            "failed   overlay            mount: Operation not permitted\n"
            "                            next: be root");
}

}  // namespace
}  // namespace mayfly
