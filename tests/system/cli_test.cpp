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
  EXPECT_THAT(result.out, MatchesRegex("create +ok .*\nconverge +ok .*\nidempotence +skipped .*\nverify +ok .*\n"
                                       "destroy +ok .*\nchecks: 1 of 1 hold\n  ok .*\nmore: verified in .*\n"));
  EXPECT_THAT(read_file(directory_.path() / "report.xml"), AllOf(HasSubstr("failures=\"0\""), HasSubstr("/etc/made")));
}

TEST_F(Command, VerifyFailsWithACheckThatDoesNotHold) {
  const ProcessResult result = mayfly({"verify", profile_with("[[check]]\nport = 81\n")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("listening: expected true, is false"), HasSubstr("more: failed (verify)")));
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
    EXPECT_THAT(result.err, Not(HasSubstr("error")));
    EXPECT_THAT(mayfly({"ps"}).out, "no sessions\n");
  }
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
