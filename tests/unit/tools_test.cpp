// What CFEngine, Itamae, Rex and `command` leave, and where tools come from.

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "mayfly/provision/cfengine_log.h"
#include "mayfly/provision/command_input.h"
#include "mayfly/provision/propellor_build.h"
#include "mayfly/provision/propellor_log.h"
#include "mayfly/provision/rex_failure.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/task_lines.h"
#include "mayfly/provision/tool.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Status = TaskResult::Status;

const std::filesystem::path kDirectory = "/home/me/web";

PathMap cfengine_paths() {
  PathMap paths;
  paths.add("/run/cf/inputs/", "/home/me/web/");
  return paths;
}

std::string message_of(const std::optional<Verdict>& verdict) { return verdict ? verdict->message : "(succeeded)"; }

/// Recorded from the versions that Debian 12 and 13 have, with the policies of tests/system/provision/cfengine.
class CfengineLogs : public testing::TestWithParam<const char*> {
 protected:
  CfengineLog read(const std::string& name, const std::string& policy, ProvisionMode mode = ProvisionMode::converge) {
    CfengineLog log(kDirectory / policy, mode, cfengine_paths());
    const std::string text =
        read_file(std::filesystem::path(MAYFLY_TEST_DIR) / "data/cfengine" / (name + "-" + GetParam() + ".txt"));
    CfengineLog::Time now{};
    LineStream lines([&](std::string_view line) {
      now += std::chrono::seconds(1);
      if (const auto told = log.read(line, now)) {
        shown_ += *told + "\n";
      }
    });
    lines.feed(false, text);
    return log;
  }
  static TaskResult task(const CfengineLog& log, std::string_view name) {
    const auto found =
        std::find_if(log.tasks().begin(), log.tasks().end(), [&](const TaskResult& one) { return one.name == name; });
    return found == log.tasks().end() ? TaskResult{.name = "none such"} : *found;
  }
  std::string shown_;
};
INSTANTIATE_TEST_SUITE_P(Versions, CfengineLogs, testing::Values("321", "324"));

TEST_P(CfengineLogs, RepairedPromiseIsChangedAndHasItsPlace) {
  const CfengineLog log = read("first", "site.cf");
  EXPECT_EQ(tally(log.tasks()).changed, 6);
  EXPECT_EQ(tally(log.tasks()).ok, 0);
  EXPECT_EQ(task(log, "files '/etc/greeting'").where, "site.cf:20");
  EXPECT_GT(task(log, "files '/etc/greeting'").ended, task(log, "files '/etc/greeting'").started);
  EXPECT_EQ(task(log, "commands '/bin/systemctl enable --now greeting.service'").status, Status::changed);
  EXPECT_FALSE(cfengine_failure(log, 0, ""));
}

TEST_P(CfengineLogs, KeptPromiseIsOk) {
  const CfengineLog log = read("second", "site.cf");
  EXPECT_EQ(task(log, "users 'greeter'").status, Status::ok);
  EXPECT_EQ(task(log, "files '/etc/systemd/system/greeting.service'").status, Status::ok);
}

TEST_P(CfengineLogs, ContentOfFilesIsNotShown) {
  static_cast<void>(read("first", "site.cf"));
  EXPECT_THAT(shown_, AllOf(HasSubstr("info: Created file '/etc/greeting.token', mode 0600"), Not(HasSubstr("s3cret")),
                            HasSubstr("info: Inserted the promised line (hidden)"), Not(HasSubstr("verbose:"))));
}

TEST(CfengineLog, SecondLineOfContentIsNotShownEither) {
  CfengineLog log(kDirectory / "site.cf", ProvisionMode::converge, {});
  EXPECT_EQ(log.read("    info: Updated file '/etc/x' with content 'a", {}),
            "    info: Updated file '/etc/x' with content (hidden)");
  EXPECT_EQ(log.read("s3cret'", {}), std::nullopt);
  EXPECT_EQ(log.read("R: told", {}), "R: told");
  EXPECT_EQ(log.read("on two lines", {}), "on two lines");
}

TEST(CfengineLog, FunctionThatRunsACommandIsATask) {
  const TempDir directory;
  write_file(directory.path() / "site.cf", "body common control { }\n");
  write_file(directory.path() / "web.cf",
             "classes:\n  \"old\" not =>\n    returnszero(\"/bin/ask me\", \"noshell\");\n");
  CfengineLog log(directory.path() / "site.cf", ProvisionMode::check, {});
  const CfengineLog::Time start{std::chrono::seconds(1)};
  static_cast<void>(log.read(" verbose: ----", start));
  static_cast<void>(log.read(" verbose: Caching result for function 'returnszero(\"/bin/ask me\",\"noshell\")'",
                             start + std::chrono::seconds(1)));
  static_cast<void>(log.read(" verbose: Caching result for function 'readfile(\"/etc/x\",\"9\")'", start));
  ASSERT_EQ(log.tasks().size(), 1U);
  EXPECT_EQ(log.tasks().front().name, "returnszero '/bin/ask me'");
  EXPECT_EQ(log.tasks().front().where, "web.cf:3");
  EXPECT_EQ(log.tasks().front().status, Status::ok);
  EXPECT_TRUE(log.tasks().front().runs_always);
  EXPECT_EQ(log.tasks().front().started, start - std::chrono::milliseconds(100));  // it can't have been read later
  EXPECT_EQ(log.tasks().front().ended, start + std::chrono::seconds(1));
}

TEST(CfengineLog, LinesReadAtOnceMayHaveBeenWrittenSinceTheReadBefore) {
  using std::chrono::milliseconds;
  CfengineLog log(kDirectory / "site.cf", ProvisionMode::check, {});
  const CfengineLog::Time start{std::chrono::seconds(1)};
  const CfengineLog::Time late = start + milliseconds(15);
  static_cast<void>(log.read(" verbose: ----", start));
  static_cast<void>(log.read(" verbose: ----", late));
  static_cast<void>(log.read(" verbose: Caching result for function 'returnszero(\"/bin/ask\",\"noshell\")'", late));
  ASSERT_EQ(log.tasks().size(), 1U);
  EXPECT_EQ(log.tasks().front().started, start);
  EXPECT_EQ(log.tasks().front().ended, late);
}

TEST(CfengineLog, StockOfTheNetworkIsNotShown) {
  CfengineLog log(kDirectory / "site.cf", ProvisionMode::converge, {});
  EXPECT_EQ(log.read("   error: Cannot follow symlink '/proc/net/dev'; it is not owned by root", {}), std::nullopt);
  EXPECT_EQ(log.read("   error: Cannot follow symlink '/etc/x'; it is not owned by root", {}),
            "   error: Cannot follow symlink '/etc/x'; it is not owned by root");
}

TEST_P(CfengineLogs, PromiseThatIsNotKeptIsAFailureAndHasAPlaceThoughTheLogHasNone) {
  const CfengineLog log = read("fails", "fails.cf");
  EXPECT_EQ(message_of(cfengine_failure(log, 0, "")),
            "promise 'commands '/bin/false'' failed: Finished command related to promiser '/bin/false' -- an error "
            "occurred, returned 1");
  EXPECT_EQ(task(log, "commands '/bin/true'").where, "fails.cf:10");
}

TEST_P(CfengineLogs, DryRunTellsWhatItWouldChange) {
  const CfengineLog log = read("dry", "site.cf", ProvisionMode::check);
  EXPECT_EQ(tally(log.tasks()).failed, 0);
  EXPECT_THAT(task(log, "files '/etc/greeting'").predicted, ElementsAre("/etc/greeting"));
  EXPECT_EQ(task(log, "files '/etc/greeting'").message, "Should create file '/etc/greeting', mode '0640'");
  EXPECT_EQ(task(log, "users 'greeter'").status, Status::changed);
}

TEST(CfengineLog, KnowsWhatItIsAt) {
  CfengineLog log(kDirectory / "site.cf", ProvisionMode::converge, {});
  EXPECT_EQ(log.running(), "");
  static_cast<void>(log.read(" verbose: P: BEGIN promise 'promise_site_cf_4' of type \"commands\" (pass 1)", {}));
  static_cast<void>(log.read(" verbose: P:    Stack path: /default/main/commands/'/bin/sleep 5'[1]", {}));
  EXPECT_EQ(log.running(), "commands '/bin/sleep 5' (site.cf:4)");
  EXPECT_EQ(message_of(cfengine_failure(log, 0, "")), "cf-agent exited with 0, but its final record is missing");
  EXPECT_EQ(message_of(cfengine_failure(log, 137, "Killed\n")), "cf-agent exited with 137: Killed");
}

TEST(CfenginePolicyError, NamesThePlaceAndTheCause) {
  EXPECT_EQ(cfengine_policy_error(1,
                                  "/home/me/web/broken.cf:5:17: error: syntax error\n        create = \"true\";\n"
                                  "/home/me/web/broken.cf:5:17: error: Expected '=>', got '='\n"
                                  "   error: There are syntax errors in policy files\n",
                                  kDirectory)
                .message,
            "broken.cf:5:17: Expected '=>', got '='");
  EXPECT_EQ(cfengine_policy_error(1, "   error: Can't stat file '/x/stdlib.cf' for parsing\n", kDirectory).message,
            "cf-promises exited with 1: Can't stat file '/x/stdlib.cf' for parsing");
}

TEST(CfengineAugments, AddVariablesToTheUsersOwn) {
  EXPECT_EQ(cfengine_augments("", {{"a", "1"}}), R"({"vars":{"a":1}})");
  EXPECT_EQ(cfengine_augments(R"({"vars":{"a":0,"b":"x"},"inputs":[]})", {{"a", "1"}}),
            R"({"vars":{"a":1,"b":"x"},"inputs":[]})");
  EXPECT_THROW(static_cast<void>(cfengine_augments("[]", {{"a", "1"}})), Error);
}

PathMap task_paths() {
  PathMap paths;
  paths.add("/run/x/tasks/", "/home/me/web/");
  return paths;
}

TEST(ParseTaskLines, ReadsAllThatALineMayHave) {
  const TaskLines lines = parse_task_lines(
      R"({"task":"file[/etc/x]","status":"changed","where":"/run/x/tasks/web.rb:3","message":" m\n","started":2.5,"ended":3,"predicted":["/etc/x"]})"
      "\n\n"
      R"({"task":"b","status":"skipped"})"
      "\n{\"finished\":true}\n",
      task_paths(), kDirectory);
  ASSERT_EQ(lines.tasks.size(), 2U);
  EXPECT_EQ(lines.tasks[0].where, "web.rb:3");
  EXPECT_EQ(lines.tasks[0].message, "m");
  EXPECT_EQ(lines.tasks[0].started.time_since_epoch(), std::chrono::milliseconds(2'500));
  EXPECT_THAT(lines.tasks[0].predicted, ElementsAre("/etc/x"));
  EXPECT_EQ(lines.tasks[1].status, Status::skipped);
  EXPECT_EQ(lines.tasks[1].started, std::chrono::system_clock::time_point());
  EXPECT_TRUE(lines.finished);
}

std::string error_of_lines(const std::string& text) {
  try {
    static_cast<void>(parse_task_lines(text, {}, {}));
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(ParseTaskLines, WrongLineIsNamed) {
  EXPECT_EQ(error_of_lines("{\"task\":\"a\",\"status\":\"ok\"}\n{\"task\":\"a\",\"status\":\"good\"}\n"),
            "'status' is 'good', not ok, changed, failed or skipped\n  while reading line 2 of the results");
  EXPECT_EQ(error_of_lines("hello\n"), "line 1 of the results: not a JSON object: 'hello'");
  EXPECT_EQ(error_of_lines("{\"status\":\"ok\"}\n"), "'task' is missing\n  while reading line 1 of the results");
}

TEST(ParseTaskLines, LineThatWasCutOffIsLeftOut) {
  EXPECT_EQ(parse_task_lines("{\"task\":\"a\",\"status\":\"ok\"}\n{\"task\":\"b\",\"sta", {}, {}).tasks.size(), 1U);
}

TEST(RexFailure, SyntaxErrorGetsItsPlaceToTheFront) {
  const std::string output =
      "[2026-11-22 22:16:05] ERROR - Compile time errors:\n"
      "[2026-11-22 22:16:05] ERROR - \tsyntax error at /home/me/web/Rexfile line 4, near \"fil '/etc/x'\"\n"
      "[2026-11-22 22:16:05] INFO - Exiting Rex...\n";
  EXPECT_EQ(message_of(rex_failure({}, 1, output, kDirectory)), "Rexfile:4: syntax error, near \"fil '/etc/x'\"");
}

TEST(RexFailure, OtherErrorsAreTakenAsTheyAre) {
  EXPECT_EQ(message_of(rex_failure({}, 1, "[x] INFO - a\n[x] ERROR - Task nosuch not found\n", kDirectory)),
            "Task nosuch not found");
  EXPECT_EQ(message_of(rex_failure({}, 2, "Can't locate Rex.pm\n", kDirectory)), "Can't locate Rex.pm");
  EXPECT_FALSE(rex_failure({}, 0, "", kDirectory));
}

PropellorLog propellor_log(std::string_view output) {
  PropellorLog log("web", {});
  PropellorLog::Time now{};
  LineStream lines([&](std::string_view line) {
    now += std::chrono::seconds(1);
    static_cast<void>(log.read(line, now));
  });
  lines.feed(false, output);
  return log;
}

TEST(PropellorLog, PropertyIsATaskFromTheOneBeforeToItsLine) {
  const PropellorLog log = propellor_log(
      "web has Operating System (Debian Linux (Stable \"bookworm\")) X86_64 ... ok\n"
      "Adding user `greeter' ...\n"
      "web.example account for ... greeter ... done\n"
      "webserver started ... done\n"
      "web overall ... done\n");
  ASSERT_EQ(log.tasks().size(), 2U);
  EXPECT_EQ(log.tasks()[0].status, Status::ok);
  EXPECT_EQ(log.tasks()[1].name, "account for ... greeter");
  EXPECT_EQ(log.tasks()[1].status, Status::changed);
  EXPECT_EQ(log.tasks()[1].started, log.tasks()[0].ended);
  EXPECT_EQ(log.tasks()[1].ended - log.tasks()[1].started, std::chrono::seconds(2));
  EXPECT_TRUE(log.finished());
  EXPECT_FALSE(propellor_failure(log, 0, ""));
}

TEST(PropellorLog, LeavesOutColours) {
  PropellorLog log("web", {});
  EXPECT_EQ(log.read("\x1b[1;32mweb greeting ... \x1b[0mdone\x1b[K\r", {}), "web greeting ... done");
  EXPECT_EQ(log.tasks().front().status, Status::changed);
}

TEST(PropellorFailure, HasAReasonThatIsReadAfterTheVerdict) {
  EXPECT_EQ(message_of(propellor_failure(
                propellor_log("hello\nweb a ... ok\nweb b ... failed\nweb overall ... failed\ndisk on fire\n"), 1, "")),
            "property 'b' failed: disk on fire");
  EXPECT_EQ(message_of(propellor_failure(propellor_log("web b ... failed\nweb after ... done\nweb more ... ok\n"
                                                       "web overall ... failed\ndisk on fire\n"),
                                         1, "")),
            "property 'b' failed: disk on fire");
  EXPECT_EQ(message_of(propellor_failure(
                propellor_log("web b ... failed\ndisk on fire\nweb after ... done\nhello\nweb more ... ok\n"), 1, "")),
            "property 'b' failed: disk on fire");
}

TEST(PropellorFailure, NamesThePropertyAndWhatWasSaidSinceTheOneBefore) {
  EXPECT_EQ(message_of(propellor_failure(
                propellor_log("hello\nweb a ... ok\ndisk on fire\nweb b ... failed\nweb overall ... failed\n"), 1, "")),
            "property 'b' failed: disk on fire");
  EXPECT_EQ(message_of(propellor_failure(propellor_log(""), 1,
                                         "x\n** error: Propellor does not know about host: db\n(Perhaps ...)\n"
                                         "config: Cannot continue!\nCallStack (from HasCallStack):\n  error, at x\n")),
            "exit code 1: Propellor does not know about host: db");
  EXPECT_EQ(
      message_of(propellor_failure(propellor_log(""), 1, "config: gone\nCallStack (from HasCallStack):\n  error\n")),
      "exit code 1: config: gone");
  EXPECT_EQ(message_of(propellor_failure(propellor_log("web a ... ok\n"), 0, "")),
            "it exited with 0, but its final record is missing");
}

// As GHC 9.0 and 9.6 print them.
TEST(ParseGhc, ReadsDiagnosticsOverSeveralLines) {
  const std::vector<Finding> findings = parse_ghc(
      "\n"
      "config.hs:22:13: error:\n"
      "    Variable not in scope:\n"
      "      liftIO :: IO (Maybe String) -> Propellor (Maybe String)\n"
      "\n"
      "src/Site.hs:(3,1)-(5,2): error: [GHC-88464]\n"
      "    \u2022 Cannot combine two Properties.\n"
      "      (They may have conflicting MetaTypes.)\n"
      "    \u2022 In the second argument\n"
      "   |\n"
      "Site.hs:9:4-7: warning: [-Wtabs] Tab character found here\n");
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(to_string(findings[0]),
            "config.hs:22:13: error: Variable not in scope: liftIO :: IO (Maybe String) -> Propellor (Maybe String)");
  EXPECT_EQ(
      to_string(findings[1]),
      "src/Site.hs:3:1: error: Cannot combine two Properties. (They may have conflicting MetaTypes.) [GHC-88464]");
  EXPECT_EQ(to_string(findings[2]), "Site.hs:9:4: warning: Tab character found here [-Wtabs]");
  EXPECT_EQ(
      propellor_mistake(findings).message,
      "config.hs:22:13: Variable not in scope: liftIO :: IO (Maybe String) -> Propellor (Maybe String) (and 1 more)");
}

TEST(ExitCodes, ThatMeanChangedMakeZeroMeanUnchanged) {
  EXPECT_EQ(status_of_exit_code(0, {}), Status::changed);
  EXPECT_EQ(status_of_exit_code(0, {2}), Status::ok);
  EXPECT_EQ(status_of_exit_code(2, {2}), Status::changed);
  EXPECT_EQ(status_of_exit_code(3, {2}), Status::failed);
}

TEST(JsonLines, MustBeThereAndTheExitCodeBeGood) {
  const std::vector<TaskResult> good{{.name = "a"}};
  EXPECT_FALSE(json_lines_failure(good, 0, {}, ""));
  EXPECT_EQ(message_of(json_lines_failure(good, 3, {}, "disk on fire\n")), "exit code 3: disk on fire");
  EXPECT_EQ(message_of(json_lines_failure({}, 0, {}, "")), "it left no results");
  EXPECT_EQ(message_of(json_lines_failure({{.name = "a", .status = Status::failed, .message = "m"}}, 0, {}, "")),
            "task 'a' failed: m");
}

TEST(EnterScript, HandsOnArgumentsAndTheTimeThatIsLeft) {
  const TempDir files;
  write_file(files.path() / "ent er", "#!/bin/sh\nfor a; do echo \"<$a>\"; done\n", 0755);
  write_file(files.path() / "script", enter_script(files.path() / "ent er", 42, std::chrono::hours(100'000)), 0755);
  EXPECT_THAT(run_process({files.path() / "script", "ls", "a b"}).out,
              testing::MatchesRegex("<--init>\n<42>\n<--timeout>\n<[0-9]+0ms>\n<ls>\n<a b>\n"));
  write_file(files.path() / "late", enter_script(files.path() / "ent er", 42, std::chrono::milliseconds(1)), 0755);
  EXPECT_THAT(run_process({files.path() / "late", "ls"}).out, HasSubstr("<10ms>\n"));
}

TEST(EnterScript, IsNotOverBeforeTheDeadline) {
  // The script sees hundredths of a second: 1.009 s must not become 1.00 s.
  EXPECT_THAT(enter_script("/enter", 42, std::chrono::milliseconds(1'009)), HasSubstr("left=$(( 101 - "));
}

class ToolRoots : public testing::Test {
 protected:
  ToolRoots() {
    for (const char* directory : {"usr/lib/x86_64-linux-gnu/perl5/5.36", "usr/lib/x86_64-linux-gnu/perl/5.36",
                                  "usr/share/perl/5.36", "usr/share/perl5", "usr/lib/python3"}) {
      std::filesystem::create_directories(root_.path() / directory);
    }
    write_file(root_.path() / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "");
  }
  TempDir root_;
};

TEST_F(ToolRoots, ProgramIsStartedByTheLoaderOfItsRoot) {
  const Tool tool(root_.path(), "/usr/bin/cf-agent");
  EXPECT_THAT(tool.native("/usr/bin/cf-agent"),
              ElementsAre("/dev/.mayfly/tool/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "--library-path",
                          "/dev/.mayfly/tool/usr/lib/x86_64-linux-gnu:/dev/.mayfly/tool/usr/lib",
                          "/dev/.mayfly/tool/usr/bin/cf-agent"));
  EXPECT_EQ(tool.tree()->directory, root_.path());
}

TEST_F(ToolRoots, PerlGetsTheDirectoriesThatAreThere) {
  const auto argv = Tool(root_.path(), "/usr/bin/rex").perl();
  EXPECT_THAT(
      std::vector(argv.begin() + 4, argv.end()),
      ElementsAre("-I/dev/.mayfly/tool/usr/lib/x86_64-linux-gnu/perl5/5.36", "-I/dev/.mayfly/tool/usr/share/perl5",
                  "-I/dev/.mayfly/tool/usr/lib/x86_64-linux-gnu/perl/5.36", "-I/dev/.mayfly/tool/usr/share/perl/5.36"));
}

TEST_F(ToolRoots, WithoutALoaderIsAnError) {
  std::filesystem::remove(root_.path() / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
  EXPECT_THROW(Tool(root_.path(), "/usr/bin/rex"), Error);
}

TEST(Tool, InTheContainerIsCalledAsItIs) {
  const Tool tool("/usr/bin/cf-agent");
  EXPECT_THAT(tool.native("/usr/bin/cf-agent"), ElementsAre("/usr/bin/cf-agent"));
  EXPECT_EQ(tool.at("/usr/share/x"), "/usr/share/x");
  EXPECT_FALSE(tool.tree());
}

TEST(ToolSuite, IsThatOfADebianElseADefault) {
  EXPECT_EQ(tool_suite("NAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=trixie\nID=debian\n"), "trixie");
  EXPECT_EQ(tool_suite("ID=ubuntu\nVERSION_CODENAME=noble\nID_LIKE=debian\n"), "bookworm");
  EXPECT_EQ(tool_suite(""), "bookworm");
}

TEST(ToolBase, IsTheSuiteAndTheMirrorOfTheImage) {
  EXPECT_EQ(tool_base(DebianImage{.suite = "trixie", .packages = {"nginx"}, .mirror = "http://x"}),
            (DebianImage{.suite = "trixie", .mirror = "http://x"}));
  const TempDir root;
  std::filesystem::create_directories(root.path() / "usr/lib");
  write_file(root.path() / "usr/lib/os-release", "ID=debian\nVERSION_CODENAME=trixie\n");
  EXPECT_EQ(tool_base(DirectoryImage{.path = root.path()}), (DebianImage{.suite = "trixie"}));
  EXPECT_EQ(tool_base(TarballImage{.path = "/x.tar"}), (DebianImage{.suite = "bookworm"}));
}

TEST(ItamaeDirectory, HoldsAllRecipes) {
  EXPECT_EQ(itamae_directory({.recipes = {"/x/roles/web.rb"}}), "/x/roles");
  EXPECT_EQ(itamae_directory({.recipes = {"/x/roles/web.rb", "/x/cookbooks/nginx/default.rb"}}), "/x");
  EXPECT_EQ(itamae_directory({.recipes = {"/x/roles/web.rb"}, .directory = "/x"}), "/x");
}

TEST(Steps, AreCalledByToolAndFile) {
  EXPECT_EQ(describe({.action = CfengineStep{.policy = "/x/site.cf"}}), "cfengine site.cf");
  EXPECT_EQ(describe({.action = ItamaeStep{.recipes = {"/x/web.rb", "/x/b.rb"}}}), "itamae web.rb");
  EXPECT_EQ(describe({.action = RexStep{.file = "/x/Rexfile", .task = "web"}}), "rex web");
  EXPECT_EQ(describe({.action = PropellorStep{.config = "/x/config.hs"}}), "propellor config.hs");
  EXPECT_EQ(describe({.action = CdistStep{.directory = "/x/cdist"}}), "cdist cdist");
  EXPECT_EQ(describe({.action = CommandStep{.argv = {"./apply.sh"}}}), "command apply.sh");
}

TEST(Steps, HaveACheckModeWhereTheToolHas) {
  EXPECT_TRUE(has_check_mode({.action = CfengineStep{}}));
  EXPECT_FALSE(has_check_mode({.action = RexStep{}}));
  EXPECT_FALSE(has_check_mode({.action = PropellorStep{}}));
  EXPECT_TRUE(has_check_mode({.action = CdistStep{}}));
  EXPECT_FALSE(has_check_mode({.action = CommandStep{.argv = {"a"}}}));
  EXPECT_TRUE(has_check_mode({.action = CommandStep{.argv = {"a"}, .check = {"a", "-n"}}}));
}

/// Each input alone changes the fingerprint.
class ToolFingerprint : public testing::Test {
 protected:
  ToolFingerprint() { write_file(directory_.path() / "main", "x\n"); }
  static std::string of(ProvisionAction action) { return fingerprint({.action = std::move(action)}); }
  std::filesystem::path path() const { return directory_.path(); }

 private:
  TempDir directory_;
};

TEST_F(ToolFingerprint, SeesEverySetting) {
  const CfengineStep cfengine{.policy = path() / "main"};
  const ItamaeStep itamae{.recipes = {path() / "main"}};
  const RexStep rex{.file = path() / "main", .task = "web"};
  const PropellorStep propellor{.config = path() / "main"};
  const CdistStep cdist{.directory = path()};
  const CommandStep command{.argv = {"./main"}, .directory = path()};
  CommandStep on_host = command, with_vars = command, with_env = command, with_argument = command;
  on_host.where = CommandStep::Where::host;
  with_vars.vars = {{"a", "1"}};
  with_env.env = {{"a", "1"}};
  with_argument.argv.push_back("-l");
  const std::vector<ProvisionAction> all{cfengine,
                                         CfengineStep{.policy = cfengine.policy, .classes = {"web"}},
                                         CfengineStep{.policy = cfengine.policy, .vars = {{"web", "1"}}},
                                         itamae,
                                         ItamaeStep{.recipes = {path() / "main", path() / "main"}},
                                         ItamaeStep{.recipes = itamae.recipes, .vars = {{"a", "1"}}},
                                         rex,
                                         RexStep{.file = rex.file, .task = "db"},
                                         RexStep{.file = rex.file, .task = "web", .vars = {{"a", "1"}}},
                                         propellor,
                                         PropellorStep{.config = propellor.config, .host = "web"},
                                         PropellorStep{.config = propellor.config, .env = {{"a", "1"}}},
                                         cdist,
                                         CdistStep{.directory = path(), .manifest = path() / "main"},
                                         CdistStep{.directory = path(), .env = {{"a", "1"}}},
                                         command,
                                         on_host,
                                         with_vars,
                                         with_env,
                                         with_argument};
  std::vector<std::string> hashes;
  for (const ProvisionAction& action : all) {
    hashes.push_back(of(action));
    EXPECT_EQ(hashes.back(), of(action));
  }
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(std::adjacent_find(hashes.begin(), hashes.end()), hashes.end());
  write_file(path() / "beside", "y\n");
  for (const ProvisionAction& action : all) {
    EXPECT_THAT(hashes, Not(Contains(of(action))));
  }
}

}  // namespace
}  // namespace mayfly
