#include <gmock/gmock.h>
#include <signal.h>

#include <map>
#include <string>
#include <vector>

#include "mayfly/keeper/client.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/host_snapshot.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// The built command, with directories of its own, on the host's root file system.
class Command : public ::testing::Test {
 protected:
  Command() { write_file(profile_, "hostname = \"box\"\n[env]\nFROM_PROFILE = \"yes\"\n"); }
  ~Command() override { EXPECT_THAT(mayfly::test::leftovers(before_, paths_), IsEmpty()); }

  void SetUp() override { mayfly::test::require_root(); }

  ProcessResult mayfly(const std::vector<std::string>& arguments, ProcessOptions options = {}) const {
    std::vector<std::string> argv{MAYFLY_COMMAND};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    options.env.insert({{"MAYFLY_RUNTIME_DIR", paths_.runtime}, {"MAYFLY_STORE_DIR", paths_.store}, {"TERM", "dumb"}});
    options.timeout = Milliseconds(120'000);
    return run_process(argv, options);
  }

  /// A profile that says more than the fixture's.
  std::string profile_with(const std::string& toml) const {
    const std::filesystem::path file = directory_.path() / "more.toml";
    write_file(file, toml);
    return file;
  }

  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
  std::filesystem::path profile_ = directory_.path() / "box.toml";
  mayfly::test::HostSnapshot before_ = mayfly::test::HostSnapshot::take(paths_);
};

TEST_F(Command, RunPassesInputOutputAndErrors) {
  const ProcessResult result =
      mayfly({"run", profile_, "--", "sh", "-c", "read line; echo \"$line $FROM_PROFILE $(uname -n)\"; echo oops >&2"},
             {.stdin_text = "hello\n"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "hello yes box\n");
  EXPECT_THAT(result.err, HasSubstr("oops\n"));
}

TEST_F(Command, RunExitsWithTheCommandsCode) {
  EXPECT_EQ(mayfly({"run", profile_, "--", "sh", "-c", "exit 42"}).exit_code, 42);
  EXPECT_EQ(mayfly({"run", profile_, "--", "sh", "-c", "kill -TERM $$"}).exit_code, 128 + SIGTERM);
  EXPECT_EQ(mayfly({"run", profile_, "--", "no-such-program"}).exit_code, 127);
}

TEST_F(Command, RunTakesUserDirectoryAndEnvironment) {
  const ProcessResult result = mayfly({"run", profile_, "--user", "nobody", "--workdir", "/etc", "--env", "A=1",
                                       "--env", "B=[x,y]", "--", "sh", "-c", "id -un; pwd; echo \"$A $B\""});
  EXPECT_EQ(result.out, "nobody\n/etc\n1 [x,y]\n");
}

TEST_F(Command, RunKillsTheCommandAtItsTimeout) {
  const ProcessResult result = mayfly({"run", profile_, "--timeout", "200ms", "--", "sleep", "60"});
  EXPECT_EQ(result.exit_code, 124);
  EXPECT_LT(result.duration, Milliseconds(30'000));
}

TEST_F(Command, RunSaysWhoIsMissing) {
  const ProcessResult result = mayfly({"run", profile_, "--user", "nobody-at-all", "--", "true"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, AllOf(StartsWith("mayfly: error: "), HasSubstr("'nobody-at-all'")));
}

TEST_F(Command, VerifyGoesThroughAllSteps) {
  const std::string profile = profile_with(R"(
[[provision]]
shell = { inline = "echo 1 >/etc/made" }
[[check]]
file = { path = "/etc/made", contains = "1" }
)");
  const ProcessResult result = mayfly({"verify", profile, "--junit", directory_.path() / "report.xml"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              MatchesRegex("lint +ok .*\ncreate +ok .*\nconverge +ok .*\nidempotence +ok .*\nverify +ok .*\n"
                           "destroy +ok .*\nchecks: 1 of 1 hold\n  ok .*\nmore: verified in .*\n"));
  EXPECT_THAT(read_file(directory_.path() / "report.xml"), AllOf(HasSubstr("failures=\"0\""), HasSubstr("/etc/made")));
}

/// A profile with something for every step; each appends its name to a file.
constexpr std::string_view kEveryStep = R"(
[[prepare]]
shell = { inline = "echo prepare >/etc/trace" }
[[provision]]
shell = { inline = "grep -q converge /etc/trace || echo converge >>/etc/trace" }
[[side_effect]]
shell = { inline = "echo side_effect >>/etc/trace" }
[[check]]
command = { argv = ["sh", "-c", "tr '\\n' ' ' </etc/trace"], stdout_contains = "prepare converge side_effect" }
[[cleanup]]
shell = { inline = "tr '\\n' ' ' </etc/trace; rm /etc/trace" }
)";

TEST_F(Command, VerifyRunsWhatIsConfiguredForEveryStep) {
  const ProcessResult result = mayfly({"verify", profile_with(std::string(kEveryStep))});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("\nprepare      ok"), HasSubstr("\nside_effect  ok"),
                                HasSubstr("\ncleanup      ok"), HasSubstr("checks: 1 of 1 hold")));
  EXPECT_THAT(result.err, HasSubstr("    | prepare converge side_effect"));
}

TEST_F(Command, VerifyTakesAConvergedMachineFromTheStore) {
  const std::string profile = profile_with(std::string(kEveryStep));
  EXPECT_THAT(mayfly({"verify", profile}).out, HasSubstr("\nconverge     ok"));
  EXPECT_THAT(mayfly({"verify", profile}).out,
              AllOf(HasSubstr("\nprepare      cached\nconverge     cached "),
                    HasSubstr("\nidempotence  cached            nothing changed (found "),
                    HasSubstr("checks: 1 of 1 hold"), HasSubstr("more: verified")));
  EXPECT_THAT(mayfly({"verify", profile, "--fresh"}).out,
              AllOf(HasSubstr("\nconverge     ok"), HasSubstr("\nidempotence  ok")));
}

TEST_F(Command, VerifyKeepsVerdictsUntilWhatTheyDependOnChanges) {
  const std::string script = directory_.path() / "setup.sh";
  write_file(script, "echo once >/etc/once\n");
  const std::string ignoring = R"([[idempotence.ignore]]
path = "/etc/x"
reason = "a test"
)";
  const std::string step = "[[provision]]\nshell = \"setup.sh\"\n";
  EXPECT_THAT(mayfly({"verify", profile_with(step)}).out,
              AllOf(HasSubstr("lint         ok"), HasSubstr("idempotence  ok")));
  EXPECT_THAT(mayfly({"verify", profile_with(step)}).out,
              AllOf(HasSubstr("lint         cached"), HasSubstr("idempotence  cached")));
  EXPECT_THAT(mayfly({"verify", profile_with(step + ignoring)}).out,
              AllOf(HasSubstr("lint         cached"), HasSubstr("converge     cached"), HasSubstr("idempotence  ok")));
  write_file(directory_.path() / ".shellcheckrc", "disable=SC1000\n");
  EXPECT_THAT(mayfly({"verify", profile_with(step), "--step", "lint"}).out, HasSubstr("lint         ok"));
  write_file(script, "date +%s%N >/etc/once\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(mayfly({"verify", profile_with(step)}).out, HasSubstr("idempotence  failed"))
        << "only what held is kept";
  }
}

TEST_F(Command, VerifyStopsBeforeAMachineIsMadeOfABrokenManifest) {
  const ProcessResult result = mayfly({"verify", profile_with("provision = [{ shell = { inline = \"if true\" } }]\n")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              AllOf(StartsWith("lint         failed"), HasSubstr("\n  sh -n finds errors in shell (inline script):\n"),
                    HasSubstr("create       skipped           lint failed\n"),
                    HasSubstr("destroy      skipped           there is no machine\n")));
}

constexpr std::string_view kNotIdempotent = R"(
provision = [{ shell = { inline = "date +%s%N >/etc/stamp" } }]
check     = [{ file = "/etc/stamp" }]
)";

TEST_F(Command, VerifyChecksAMachineThatIsNotIdempotent) {
  const ProcessResult result = mayfly({"verify", profile_with(std::string(kNotIdempotent))});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("\nidempotence  failed"), HasSubstr("  the second converge changed the machine:\n"),
                    HasSubstr("    modified  file /etc/stamp: content"), HasSubstr("\nverify       ok"),
                    HasSubstr("more: failed (idempotence)")));
}

TEST_F(Command, VerifyTakesOptionalStepsWhenAskedTo) {
  write_file(directory_.path() / "old.toml", "provision = [{ shell = { inline = \"echo 1 >/etc/old\" } }]\n");
  const ProcessResult result =
      mayfly({"verify",
              profile_with("provision = [{ shell = { inline = \"echo 2 >/etc/new; date +%s%N >/etc/stamp\" } }]\n"
                           "[scenario]\nskip = [\"idempotence\"]\nupgrade_from = \"old.toml\"\n"),
              "--also", "check,reproducible"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("\ncheck        skipped           shell (inline script) has no check mode\n"),
                                HasSubstr("\nreproducible failed"), HasSubstr("  modified  file /etc/stamp: content"),
                                HasSubstr("\nupgrade      failed"), HasSubstr("added     file /etc/old"),
                                HasSubstr("more: failed (reproducible, upgrade)")));
}

TEST_F(Command, VerifyIgnoresWhatTheProfileGivesAReasonFor) {
  const ProcessResult result =
      mayfly({"verify",
              profile_with(std::string(kNotIdempotent) +
                           "[idempotence]\nignore = [{ path = \"/etc/sta*\", reason = \"it is the time\" }]\n"),
              "--json", directory_.path() / "report.json"});
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_THAT(result.out, HasSubstr("  nothing changed (1 ignored)\n    ignored file /etc/stamp: it is the time\n"));
  EXPECT_THAT(read_file(directory_.path() / "report.json"), HasSubstr("\"reason\":\"it is the time\""));
}

TEST_F(Command, VerifyKeepsTheMachineThatFailedToConverge) {
  const ProcessResult result =
      mayfly({"verify", profile_with("provision = [{ shell = { inline = \"echo 1 >/etc/made; exit 3\" } }]\n"),
              "--keep=onfail"},
             {.stdin_text = "echo \"inside: $(cat /etc/made)\"\n"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, MatchesRegex("(.|\n)*converge     failed (.|\n)*kept: this shell is inside more-1(.|\n)*"
                                       "inside: 1\n(.|\n)*"))
      << "what failed, and then the shell";
  EXPECT_THAT(result.out, Not(MatchesRegex("(.|\n)*converge     failed (.|\n)*converge     failed (.|\n)*")));
  EXPECT_THAT(mayfly({"verify", profile_, "--keep=onfail"}).out, Not(HasSubstr("kept:")));
}

TEST_F(Command, VerifySaysWhichChecksFailedBeforeItOpensAShell) {
  const ProcessResult result =
      mayfly({"verify", profile_with("[[check]]\nport = 81\n"), "--keep=onfail"}, {.stdin_text = "echo inside\n"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              MatchesRegex("(.|\n)*listening: expected true, is false\n(.|\n)*kept: (.|\n)*inside\n(.|\n)*"));
}

/// A script that writes its secret into a file, and checks that find something else there.
constexpr std::string_view kTellsItsSecret = R"(
[[provision]]
shell = { inline = "printf 'token=%s\\n\\033[2J\\n' \"$tok\" >/etc/token; chmod MODE /etc/token" }
secrets = { tok = { env = "TOK" } }
[[check]]
file = { path = "/etc/token", contains = "token=zzz" }
[[check]]
command = { argv = ["cat", "/etc/token"], stdout = "is not tok-5678" }
[[check]]
command = { argv = ["sh", "-c", "cat /etc/token >&2; exit 3"], exit_code = 0 }
)";

TEST_F(Command, VerifyShowsNoSecretAndNoRawByteInChecksThatFail) {
  const std::filesystem::path out = directory_.path();
  const auto verify = [&](const std::string& mode) {
    std::string profile(kTellsItsSecret);
    profile.replace(profile.find("MODE"), 4, mode);
    return mayfly({"verify", profile_with(profile), "--junit", out / "r.xml", "--json", out / "r.json", "--tap",
                   out / "r.tap", "--artifacts", out / "artifacts"},
                  {.env = {{"TOK", "tok-5678"}}});
  };
  const ProcessResult open = verify("0644");
  EXPECT_EQ(open.exit_code, 1);
  EXPECT_THAT(open.out, AllOf(HasSubstr("    1 | token=********\n"), HasSubstr("expected 'is not ********'"),
                              HasSubstr("is 3: token=********"), HasSubstr("\\x1b[2J"), Not(HasSubstr("\x1b"))));
  for (const std::string& text :
       {open.out, open.err, read_file(out / "r.xml"), read_file(out / "r.json"), read_file(out / "r.tap")}) {
    EXPECT_THAT(text, Not(HasSubstr("tok-5678")));
  }
  EXPECT_THAT(read_file(out / "r.tap"), HasSubstr("token=********"));
  EXPECT_THAT(run_process({"prove", "--exec", "cat", out / "r.tap"}).out, Not(HasSubstr("Parse errors")));

  const ProcessResult closed = verify("0600");
  EXPECT_THAT(closed.out, HasSubstr("'token=zzz'; its text isn't shown, since not everybody may read it\n"));
}

TEST_F(Command, VerifySavesWhatExplainsAVerdict) {
  const std::filesystem::path artifacts = directory_.path() / "artifacts";
  const ProcessResult result =
      mayfly({"verify", profile_with("provision = [{ shell = { inline = \"date +%s%N >/etc/stamp\" } }]\n"), "--also",
              "reproducible", "--artifacts", artifacts});
  EXPECT_EQ(result.exit_code, 1);
  for (const char* step : {"idempotence", "reproducible"}) {
    EXPECT_THAT(read_file(artifacts / step / "changes.txt"), HasSubstr("modified  file /etc/stamp: content"));
    EXPECT_THAT(read_file(artifacts / step / "report.txt"), HasSubstr("/etc/stamp"));
    EXPECT_TRUE(std::filesystem::exists(artifacts / step / "processes.txt")) << step;
  }
}

TEST_F(Command, VerifySaysWhatARemarkIsAndWhatAConvergeHasChanged) {
  mayfly::test::require_program("shellcheck");
  if (IsSkipped() || HasFatalFailure()) return;
  write_file(directory_.path() / "setup.sh", "#!/bin/sh\necho $HOME >/etc/made\n");
  const std::string profile = profile_with("provision = [{ shell = \"setup.sh\" }]\n");
  for (const char* outcome : {"ok", "cached"}) {
    const ProcessResult result = mayfly({"verify", profile, "--step", "lint", "--json", directory_.path() / "r.json"});
    EXPECT_THAT(result.out, AllOf(HasSubstr(outcome), HasSubstr(", 1 remark"), HasSubstr("\n    setup.sh:2:6: ")));
    EXPECT_THAT(read_file(directory_.path() / "r.json"), HasSubstr("\"notes\":[\"setup.sh:2"));
  }
  EXPECT_THAT(mayfly({"verify", profile, "--fresh"}).out, HasSubstr("\n    added     file /etc/made\n"));
  EXPECT_THAT(mayfly({"verify", profile, "--fresh", "--quiet"}).out, Not(HasSubstr("file /etc/made")));
}

TEST_F(Command, VerifyCleansUpAfterAFailure) {
  const ProcessResult result = mayfly({"verify", profile_with("provision = [{ shell = { inline = \"true\" } }]\n"
                                                              "side_effect = [{ shell = { inline = \"exit 3\" } }]\n"
                                                              "cleanup = [{ shell = { inline = \"echo clean\" } }]\n"
                                                              "check = [{ port = 81 }]\n")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("side_effect  failed"), HasSubstr("verify       skipped           side_effect failed"),
                    HasSubstr("cleanup      ok"), HasSubstr("more: failed (side_effect)")));
  EXPECT_THAT(result.err, HasSubstr("    | clean"));
}

TEST_F(Command, VerifyTakesOnlyTheStepsThatAreAskedFor) {
  const ProcessResult result = mayfly({"verify", profile_with(std::string(kEveryStep)), "--step", "converge"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("converge     ok"), HasSubstr("verify       skipped           not asked for")));
}

TEST_F(Command, VerifyGoesThroughAMatrixAndSumsUp) {
  const std::string profile = profile_with(R"(
check = [{ command = ["sh", "-c", "test $ROLE = web"] }]
matrix.env.ROLE = ["web", "db"]
)");
  const std::filesystem::path out = directory_.path();
  const ProcessResult result =
      mayfly({"verify", profile, profile_, "-j2", "--quiet", "--junit", out / "r.xml", "--json", out / "r.json",
              "--tap", out / "r.tap", "--artifacts", out / "artifacts"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(StartsWith("more[ROLE=db]\ncreate       ok"),
                                HasSubstr("\nPROFILE         CREATE  VERIFY  CHECKS "), HasSubstr("\nmore[ROLE=web]  "),
                                HasSubstr("failed\nbox "),
                                MatchesRegex("(.|\n)*\nmore.ROLE=db.: verify: 0 of 1 checks hold\n"
                                             "2 of 3 verified in [0-9.]+m?s\n")));
  EXPECT_TRUE(std::filesystem::exists(out / "artifacts" / "more-ROLE-db-" / "processes.txt"));
  EXPECT_THAT(read_file(out / "r.xml"), HasSubstr("<testsuite name=\"more[ROLE=db]\" tests=\"4\" failures=\"2\""));
  EXPECT_EQ(run_process({"xmllint", "--noout", out / "r.xml"}).exit_code, 0);
  EXPECT_EQ(run_process({"python3", "-m", "json.tool", out / "r.json"}).exit_code, 0);
  EXPECT_THAT(run_process({"prove", "--exec", "cat", out / "r.tap"}).out,
              AllOf(HasSubstr("Failed 2/10 subtests"), Not(HasSubstr("Parse errors"))));
}

TEST_F(Command, VerifyDrawsOverItsLinesOnATerminalOnly) {
  const std::string profile = profile_with("provision = [{ shell = { inline = \"echo a; sleep 0.3; echo b\" } }]\n");
  ProcessOptions options;
  options.env = {
      {"TERM", "xterm"}, {"COLUMNS", "60"}, {"MAYFLY_RUNTIME_DIR", paths_.runtime}, {"MAYFLY_STORE_DIR", paths_.store}};
  const std::string command = std::string(MAYFLY_COMMAND) + " verify " + profile;
  const ProcessResult seen = run_process({"script", "--quiet", "--return", "--command", command, "/dev/null"}, options);
  EXPECT_EQ(seen.exit_code, 0) << seen.out;
  EXPECT_THAT(seen.out, AllOf(HasSubstr("converge     \x1b[33mrunning\x1b[0m"), HasSubstr("\x1b[1A"),
                              HasSubstr("\x1b[2ma\x1b[0m"), HasSubstr("more: \x1b[32mverified\x1b[0m in ")));
  options.env.insert({"NO_COLOR", "1"});
  const ProcessResult plain =
      run_process({"script", "--quiet", "--return", "--command", command + " --fresh", "/dev/null"}, options);
  EXPECT_THAT(plain.out, AllOf(HasSubstr("idempotence  running"), Not(HasSubstr("\x1b[33m"))));
  EXPECT_THAT(mayfly({"verify", profile}).out, Not(HasSubstr("\x1b")));
}

TEST_F(Command, VerifyFailsWithACheckThatDoesNotHold) {
  const ProcessResult result = mayfly({"verify", profile_with("[[check]]\nport = 81\n")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("listening: expected true, is false"), HasSubstr("more: failed (verify)")));
}

TEST_F(Command, VerifyTellsAllChecksWhenOneCannotBeAsked) {
  const ProcessResult result =
      mayfly({"verify",
              profile_with("check = [{ command = { argv = [\"id\"], user = \"nouser\" } }, { user = \"root\" }]\n")});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("1 of 2 checks hold"), HasSubstr("the container has no user 'nouser'")));
}

TEST_F(Command, MutateFailsWithACheckThatDoesNotHold) {
  const ProcessResult result =
      mayfly({"mutate",
              profile_with("check = [{ port = 81 }]\n[[provision]]\nshell.inline = \"#!/bin/bash\\ntouch /x\\n\"\n")});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("listening: expected true, is false"), Not(HasSubstr("%"))));
}

TEST_F(Command, AutoaddWritesChecksThatHold) {
  const std::string profile = profile_with(
      "[[provision]]\nshell = { inline = \"test -d /srv/www || { mkdir -m 2750 /srv/www; ln -s www /srv/link; }\" }\n");
  const ProcessResult printed = mayfly({"autoadd", profile, "/srv/www", "/srv/link", "root", "lo"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_THAT(printed.out,
              AllOf(HasSubstr("[[check]]\ndirectory = { path = \"/srv/www\", exists = true, mode = \"2750\", owner = "
                              "\"root\", group = \"root\" }\n"),
                    HasSubstr("[[check]]\nlink = { path = \"/srv/link\", target = \"www\" }\n"),
                    HasSubstr("[[check]]\nuser = { name = \"root\", exists = true, home = \"/root\""),
                    HasSubstr("[[check]]\ninterface = { name = \"lo\", up = ")));
  EXPECT_EQ(mayfly({"autoadd", profile, "/srv/www", "root", "lo", "--write"}).exit_code, 0);
  const std::string written = read_file(profile);
  EXPECT_THAT(mayfly({"autoadd", profile, "/srv/www", "root", "lo", "--write"}).out,
              AllOf(HasSubstr(": 0 checks added, "), HasSubstr(" already there")));
  EXPECT_EQ(read_file(profile), written);
  EXPECT_EQ(mayfly({"verify", profile}).exit_code, 0);
  const ProcessResult missing = mayfly({"autoadd", profile, "nosuch"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("the machine has nothing that is called 'nosuch'"));
}

TEST_F(Command, GossFilesCanBeImported) {
  write_file(directory_.path() / "goss.yaml",
             "file:\n  /etc/passwd:\n    exists: true\n    contents: [/^root:/]\n  /etc/x:\n    skip: true\n    "
             "exists: true\n");
  const ProcessResult printed = mayfly({"import-goss", directory_.path() / "goss.yaml"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_THAT(printed.out,
              AllOf(HasSubstr("file = { path = \"/etc/passwd\", exists = true, content = { matches = \"^root:\" } }"),
                    HasSubstr("# file /etc/x is left out: it has 'skip: true'")));
  const ProcessResult verified = mayfly({"verify", profile_with("goss = \"goss.yaml\"\n")});
  EXPECT_EQ(verified.exit_code, 0) << verified.out;
  EXPECT_THAT(verified.out, HasSubstr("1 of 1 checks hold"));
  EXPECT_THAT(verified.err, HasSubstr("file /etc/x has 'skip: true' and isn't looked at"));
  EXPECT_EQ(mayfly({"import-goss", "/nowhere.yaml"}).exit_code, 2);
}

TEST_F(Command, VerifyFailsWithAManifestAndKeepsTheLogs) {
  const ProcessResult result = mayfly({"verify", profile_with("[[provision]]\nshell = { inline = \"exit 3\" }\n"),
                                       "--artifacts", directory_.path() / "artifacts"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("converge     failed"), HasSubstr("destroy      ok")));
  EXPECT_TRUE(std::filesystem::exists(directory_.path() / "artifacts" / "processes.txt"));
}

TEST_F(Command, VerifyTellsAMissingImageFromAFailure) {
  write_file(directory_.path() / "broken.tar", "no archive");
  const ProcessResult result =
      mayfly({"verify", profile_with("[image]\nsource = \"tarball\"\npath = \"broken.tar\"\n")});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.out, HasSubstr("create       failed"));
}

/// Sends `signal` to the command once its container prints "up".
struct Interrupter {
  const Paths& paths;
  int signal;
  std::size_t containers = 0;
  void operator()(bool /*is_stderr*/, std::string_view piece) {
    if (piece.find("up\n") == std::string_view::npos) return;
    for (const SessionInfo& session : list_sessions(paths)) {
      containers += session.containers.size();
      kill(session.owner_pid, signal);
    }
  }
};

TEST_F(Command, RemovesEverythingOnASignal) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Interrupter interrupter{paths_, signal};
    const ProcessResult result =
        mayfly({"run", profile_, "--", "sh", "-c", "echo up; sleep 600"},
               {.on_output = [&](bool is_stderr, std::string_view piece) { interrupter(is_stderr, piece); }});
    EXPECT_EQ(interrupter.containers, 1u);
    EXPECT_EQ(result.exit_code, 128 + signal);
    EXPECT_THAT(result.err, AllOf(Not(HasSubstr("error")), HasSubstr("mayfly: interrupted; everything was removed\n")));
    EXPECT_THAT(mayfly({"ps"}).out, "no sessions\n");
  }
}

TEST_F(Command, TakesTheSecondSignalOfTimeoutForTheFirst) {
  // timeout(1) signals its child, and then its whole group.
  ProcessOptions options{.env = {{"MAYFLY_RUNTIME_DIR", paths_.runtime}, {"MAYFLY_STORE_DIR", paths_.store}}};
  const ProcessResult result =
      run_process({"timeout", "1", MAYFLY_COMMAND, "run", profile_, "--", "sleep", "600"}, options);
  EXPECT_EQ(result.exit_code, 124);
  EXPECT_EQ(result.err, "mayfly: interrupted; everything was removed\n");
}

TEST_F(Command, VerifyRemovesTheMachinesOfAllProfilesOnASignal) {
  const std::string profile = profile_with(R"(
provision = [{ shell = { inline = "echo up; sleep 600" } }]
matrix.env.ROLE = ["web", "db"]
)");
  int up = 0;
  const std::filesystem::path out = directory_.path();
  const ProcessResult result = mayfly(
      {"verify", "-j2", profile, "--junit", out / "r.xml", "--json", out / "r.json", "--tap", out / "r.tap"},
      {.on_output = [&](bool, std::string_view piece) {
        for (std::size_t at = piece.find("up\n"); at != std::string_view::npos; at = piece.find("up\n", at + 1)) {
          if (++up == 2) kill(list_sessions(paths_).at(0).owner_pid, SIGINT);
        }
      }});
  EXPECT_EQ(up, 2);
  EXPECT_EQ(result.exit_code, 128 + SIGINT);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("mayfly: interrupted; everything was removed\n"), Not(HasSubstr("error")),
                    HasSubstr("mayfly: more[ROLE=web]: interrupted in converge\n"),
                    HasSubstr("mayfly: more[ROLE=db]: interrupted in converge\n"), Not(HasSubstr("warning"))));
  EXPECT_THAT(result.out, Not(HasSubstr("failed")));
  EXPECT_THAT(read_file(out / "r.xml"), AllOf(HasSubstr("failures=\"0\" errors=\"2\""),
                                              HasSubstr("<testcase name=\"lint\" classname=\"more[ROLE=web]\""),
                                              HasSubstr("<error message=\"interrupted\"")));
  EXPECT_THAT(read_file(out / "r.json"), StartsWith("{\"ok\":false"));
  EXPECT_THAT(read_file(out / "r.tap"), HasSubstr("not ok 3 - more[ROLE=web]: converge"));
}

TEST_F(Command, GcRemovesWhatAKilledKeeperLeft) {
  const ProcessResult result = mayfly({"run", profile_, "--", "sh", "-c", "echo up; sleep 600"},
                                      {.on_output = [&](bool, std::string_view piece) {
                                        if (piece != "up\n") return;
                                        for (const SessionInfo& session : list_sessions(paths_)) {
                                          kill(session.keeper_pid, SIGKILL);
                                        }
                                      }});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(list_sessions(paths_), SizeIs(1));
  EXPECT_THAT(mayfly({"ps"}).out, AllOf(HasSubstr(" dead "), HasSubstr("'mayfly gc' removes it")));
  EXPECT_THAT(mayfly({"gc"}).out, Not(HasSubstr("nothing to remove")));
  EXPECT_EQ(mayfly({"gc"}).out, "nothing to remove\n");
}

TEST_F(Command, DoctorFindsThatContainersStartHere) {
  const ProcessResult result = mayfly({"doctor"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("ok       container"), HasSubstr("containers start here")));
}

}  // namespace
}  // namespace mayfly
