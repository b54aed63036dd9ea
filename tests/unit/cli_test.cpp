#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "mayfly/cli/app.h"
#include "mayfly/cli/console.h"
#include "mayfly/cli/doctor.h"
#include "mayfly/cli/session_list.h"
#include "mayfly/cli/verify.h"
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

VerifyReport failed_report() {
  VerifyReport report{.profile = "web"};
  report.steps = {{.name = "create", .duration = Milliseconds(1200), .detail = "debian bookworm"},
                  {.name = "idempotence", .outcome = VerifyStep::Outcome::skipped, .detail = "a shell script"},
                  {.name = "verify", .outcome = VerifyStep::Outcome::failed, .detail = "1 of 2 checks hold"}};
  report.checks = {{.title = "service nginx: running"},
                   {.title = "port 80: listening", .mismatches = {"listening: expected true, is false"}}};
  return report;
}

TEST(VerifyStepLine, AlignsAndIndentsTheError) {
  const VerifyStep step{.name = "converge",
                        .outcome = VerifyStep::Outcome::failed,
                        .duration = Milliseconds(24300),
                        .detail = "3 ok, 0 changed, 1 failed",
                        .error = "ansible site.yml: task 'x' failed\n  while y"};
  EXPECT_EQ(render(step, Console(false)),
            "converge     failed     24.3s  3 ok, 0 changed, 1 failed\n"
            "  ansible site.yml: task 'x' failed\n"
            "    while y");
}

TEST(VerifySummary, ListsTheChecksAndNamesTheFailedSteps) {
  EXPECT_EQ(render_summary(failed_report(), Console(false)),
            "checks: 1 of 2 hold\n"
            "  ok      service nginx: running\n"
            "  failed  port 80: listening\n"
            "          listening: expected true, is false\n"
            "web: failed (verify)");
}

TEST(VerifySummary, SaysHowLongItTook) {
  VerifyReport report{.profile = "web"};
  report.steps = {{.name = "create", .duration = Milliseconds(1200)},
                  {.name = "destroy", .duration = Milliseconds(300)}};
  EXPECT_EQ(render_summary(report, Console(false)), "web: verified in 1.5s");
}

TEST(VerifyJunit, HasACaseForEachCheckInPlaceOfTheVerifyStep) {
  const JunitSuite suite = junit_suite(failed_report());
  EXPECT_THAT(suite.cases, ElementsAre(Field(&JunitCase::name, "create"), Field(&JunitCase::name, "idempotence"),
                                       Field(&JunitCase::name, "service nginx: running"),
                                       Field(&JunitCase::name, "port 80: listening")));
  EXPECT_EQ(suite.cases.at(1).outcome, JunitCase::Outcome::skipped);
  EXPECT_EQ(suite.cases.at(3).outcome, JunitCase::Outcome::failed);
  EXPECT_EQ(suite.cases.at(3).message, "listening: expected true, is false");
}

TEST(VerifyJunit, TellsAHostFailureFromTheMachines) {
  VerifyReport report{.profile = "web"};
  report.steps = {{.name = "create", .outcome = VerifyStep::Outcome::failed, .error = "no\nwhile", .by_host = true}};
  EXPECT_TRUE(report.host_failed());
  EXPECT_EQ(junit_suite(report).cases.at(0).outcome, JunitCase::Outcome::error);
  EXPECT_EQ(junit_suite(report).cases.at(0).message, "no");
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
