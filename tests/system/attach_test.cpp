#include <gmock/gmock.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "mayfly/exec/command.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/test_container.h"

namespace mayfly {
namespace {

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

/// A program at a terminal of its own.
class AtTerminal {
 public:
  explicit AtTerminal(const std::vector<std::string>& argv) {
    std::vector<char*> arguments;
    for (const std::string& argument : argv) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    winsize size{.ws_row = 31, .ws_col = 91, .ws_xpixel = 0, .ws_ypixel = 0};
    pid_ = forkpty(&master_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      setenv("TERM", "xterm", 1);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
  }
  AtTerminal(const AtTerminal&) = delete;
  AtTerminal& operator=(const AtTerminal&) = delete;
  ~AtTerminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(master_);
  }

  void type(std::string_view keys) {
    ASSERT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }

  void resize(unsigned short rows, unsigned short columns) {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ASSERT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
  }

  /// Everything shown so far, once `text` is part of it, or after ten seconds.
  const std::string& screen_with(const std::string& text) {
    const Deadline deadline = Deadline::after(Milliseconds(10'000));
    while (shown_.find(text) == std::string::npos && !deadline.passed()) {
      pollfd event{.fd = master_, .events = POLLIN, .revents = 0};
      if (poll(&event, 1, deadline.poll_timeout()) != 1) {
        break;
      }
      std::array<char, 4096> buffer{};
      const ssize_t size = read(master_, buffer.data(), buffer.size());
      if (size <= 0) {
        break;
      }
      shown_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return shown_;
  }

  /// Takes what is shown meanwhile, which the end of a session at a terminal waits for.
  int exit_code() {
    screen_with("\xff never shown");
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WEXITSTATUS(status);
  }

 private:
  int master_ = -1;
  pid_t pid_ = -1;
  std::string shown_;
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
