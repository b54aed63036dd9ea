#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include "mayfly/exec/command.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/at_terminal.h"
#include "tests/support/test_container.h"

namespace mayfly {
namespace {

using test::AtTerminal;
using test::TestContainer;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// run_attached(), by `mayfly-enter`, which is little more.
class AttachTest : public ::testing::Test {
 protected:
  std::vector<std::string> command(const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv{find_shipped("mayfly-enter"), "--init",
                                  std::to_string(container_.target().init_pid())};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
  }

  ProcessResult enter(const std::vector<std::string>& arguments, const std::string& stdin_text = {}) const {
    return run_process(command(arguments), {.stdin_text = stdin_text});
  }

  TestContainer container_;
};

TEST_F(AttachTest, PassesStreamsAndExitCodeThrough) {
  const ProcessResult result = enter({"--", "sh", "-c", "cat; echo err >&2; exit 5"}, "in");
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(result.out, "in");
  EXPECT_EQ(result.err, "err\n");
}

TEST_F(AttachTest, TakesUserDirectoryAndVariables) {
  EXPECT_EQ(
      enter({"--user", "www-data", "--cwd", "/etc", "--env", "A=b=c", "--", "sh", "-c", "id -un; pwd; echo $A"}).out,
      "www-data\n/etc\nb=c\n");
}

TEST_F(AttachTest, ReportsAMissingProgram) {
  const ProcessResult result = enter({"nosuch"});
  EXPECT_EQ(result.exit_code, 127);
  EXPECT_THAT(result.err, StartsWith("mayfly: 'nosuch' not found in the container's PATH"));
}

TEST_F(AttachTest, FailsWithItsOwnExitCodeWhenItCantEnter) {
  const ProcessResult result = enter({"--user", "nobody-here", "--", "true"});
  EXPECT_EQ(result.exit_code, 125);
  EXPECT_EQ(result.err, "mayfly-enter: the container has no user 'nobody-here'\n");
  EXPECT_EQ(enter({"--timeout", "soon", "true"}).err,
            "mayfly-enter: --timeout 'soon' is no duration such as 30s or 1500ms\n");
  EXPECT_EQ(enter({"--wrong", "true"}).exit_code, 125);
}

TEST_F(AttachTest, KillsTheTreeAtTheDeadline) {
  EXPECT_EQ(enter({"--timeout", "200ms", "--", "sh", "-c", "setsid sleep 4721 & sleep 4721"}).exit_code, 124);
  EXPECT_EQ(run(container_.target(), {"pgrep", "-f", "sleep 4721"}).out, "");
}

TEST_F(AttachTest, KillsTheTreeWhenItIsTerminated) {
  AtTerminal session(command({"--", "sh", "-c", "sleep 4722 & echo begun; sleep 4722"}));
  session.screen_with("begun");
  ASSERT_TRUE(run(container_.target(), {"pgrep", "-f", "sleep 472[2]"}).ok());
  const ProcessResult pids = run_process({"pgrep", "-f", "mayfly-enter.*4722"});
  ASSERT_TRUE(pids.ok());
  kill(std::stoi(pids.out), SIGTERM);
  EXPECT_EQ(session.exit_code(), 143);
  EXPECT_EQ(run(container_.target(), {"pgrep", "-f", "sleep 472[2]"}).out, "");
}

TEST_F(AttachTest, LeavesBackgroundChildrenAlive) {
  EXPECT_TRUE(enter({"--", "sh", "-c", "sleep 4723 >/dev/null 2>&1 </dev/null &"}).ok());
  EXPECT_TRUE(run(container_.target(), {"pkill", "-f", "sleep 4723"}).ok());
}

TEST_F(AttachTest, GivesATerminalOfTheContainer) {
  AtTerminal session(command({"--", "sh", "-c", "tty; ls -l $(tty); stty size; echo $TERM"}));
  const std::string& screen = session.screen_with("xterm");
  EXPECT_THAT(screen, HasSubstr("/dev/pts/"));
  EXPECT_THAT(screen, HasSubstr("root"));
  EXPECT_THAT(screen, HasSubstr("31 91"));
  EXPECT_EQ(session.exit_code(), 0);
}

TEST_F(AttachTest, HasJobControl) {
  AtTerminal session(command({"--", "bash", "--norc"}));
  session.screen_with("# ");
  session.type("sleep 4724\n");
  session.screen_with("sleep 4724\r\n");
  // Ctrl-Z only reaches a job that has become the foreground one.
  const Deadline deadline = Deadline::after(Milliseconds(5'000));
  while (!run(container_.target(), {"pgrep", "-x", "sleep"}).ok() && !deadline.passed()) {
  }
  session.type("\x1a");
  EXPECT_THAT(session.screen_with("Stopped"), HasSubstr("Stopped"));
  // Twice, since bash doesn't leave the first time while it believes that there is a stopped job.
  session.type("kill %1; echo me=$((40+2)); exit 9\nexit 9\n");
  EXPECT_THAT(session.screen_with("me=42"), HasSubstr("me=42"));
  EXPECT_EQ(session.exit_code(), 9);
}

TEST_F(AttachTest, FollowsTheWindowsSize) {
  AtTerminal session(
      command({"--", "bash", "--norc", "-c", "trap 'stty size; exit' WINCH; echo go; while :; do sleep 0.1; done"}));
  session.screen_with("go");
  session.resize(12, 34);
  EXPECT_THAT(session.screen_with("12 34"), HasSubstr("12 34"));
}

}  // namespace
}  // namespace mayfly
