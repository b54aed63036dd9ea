#include "mayfly/support/subprocess.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "mayfly/support/deadline.h"
#include "mayfly/support/file_io.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Lt;
using testing::Not;

std::vector<std::string> sh(std::string script) { return {"sh", "-c", std::move(script)}; }

// Whether the process ends (or has ended) soon; a zombie counts as ended.
bool ends(pid_t pid) {
  const Deadline deadline = Deadline::after(Milliseconds(5000));
  while (!deadline.passed()) {
    const auto status = read_file_if_exists("/proc/" + std::to_string(pid) + "/status");
    if (!status || status->find("State:\tZ") != std::string::npos) {
      return true;
    }
    std::this_thread::yield();
  }
  return false;
}

TEST(RunProcess, KeepsOutputAndErrorsApart) {
  const ProcessResult result = run_process(sh("echo out; echo err >&2"));
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_TRUE(result.ok());
}

TEST(RunProcess, ReportsExitCodesAndSignals) {
  EXPECT_EQ(run_process({"true"}).exit_code, 0);
  EXPECT_EQ(run_process(sh("exit 7")).exit_code, 7);
  EXPECT_EQ(run_process(sh("kill -TERM $$")).exit_code, 128 + SIGTERM);
}

TEST(RunProcess, GivesTheTextToStdin) {
  const std::string text(1'000'000, 'x');
  EXPECT_EQ(run_process({"cat"}, {.stdin_text = text}).out, text);
  EXPECT_TRUE(run_process({"true"}, {.stdin_text = text}).ok());
  EXPECT_EQ(run_process({"cat"}).out, "");
}

TEST(RunProcess, TakesBigOutputFromBothStreamsAtOnce) {
  const ProcessResult result =
      run_process(sh("head -c 3000000 /dev/zero & head -c 2000000 /dev/zero >&2; wait; echo end"));
  EXPECT_EQ(result.out.size(), 3'000'004U);
  EXPECT_EQ(result.err.size(), 2'000'000U);
}

TEST(RunProcess, ReplacesAndAddsEnvironment) {
  EXPECT_EQ(run_process(sh("echo $HOME $NEW"), {.env = {{"HOME", "/h"}, {"NEW", "n"}}}).out, "/h n\n");
  EXPECT_EQ(run_process({"env"}, {.env = {{"ONLY", "1"}}, .clear_env = true}).out, "ONLY=1\n");
}

TEST(RunProcess, ChangesTheDirectory) { EXPECT_EQ(run_process({"pwd"}, {.cwd = "/usr"}).out, "/usr\n"); }

TEST(RunProcess, StreamsOutputAsItComes) {
  const TempDir dir;
  std::string seen;
  // The child ends only once the first piece has been seen.
  const auto result = run_process(
      sh("echo ready; while [ ! -e seen ]; do :; done; echo more >&2"),
      {.cwd = dir.path(), .timeout = Milliseconds(10'000), .on_output = [&](bool is_stderr, std::string_view piece) {
         seen += (is_stderr ? "2:" : "1:") + std::string(piece);
         write_file(dir.path() / "seen", "");
       }});
  EXPECT_EQ(seen, "1:ready\n2:more\n");
  EXPECT_EQ(result.out, "ready\n");
}

TEST(RunProcess, KillsTheChildWhenTheCallerThrows) {
  pid_t pid = 0;
  EXPECT_THROW((void)run_process(sh("echo $$; exec sleep 1000"), {.on_output =
                                                                      [&](bool, std::string_view piece) {
                                                                        pid = std::stoi(std::string(piece));
                                                                        throw Error("no more");
                                                                      }}),
               Error);
  EXPECT_TRUE(ends(pid));
}

TEST(RunProcess, KillsTheWholeGroupOnTimeout) {
  std::string out;
  try {
    (void)run_process(sh("sleep 1000 & echo $!; sleep 1000"),
                      {.timeout = Milliseconds(200), .on_output = [&](bool, std::string_view piece) { out += piece; }});
    FAIL() << "nothing thrown";
  } catch (const TimeoutError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "command sh -c 'sleep 1000 & echo $!; sleep 1000' still ran after 200ms and was killed; its last output:\n"
        "  | " +
            out.substr(0, out.size() - 1));
  }
  EXPECT_TRUE(ends(std::stoi(out)));
}

TEST(RunProcess, DoesNotWaitForABackgroundChildThatKeepsThePipes) {
  const ProcessResult result = run_process(sh("sleep 1000 & echo $!"), {.timeout = Milliseconds(10'000)});
  EXPECT_TRUE(result.ok());
  EXPECT_THAT(result.duration, Lt(Milliseconds(5000)));
  EXPECT_EQ(::kill(std::stoi(result.out), SIGKILL), 0);
}

TEST(RunProcess, StartsWithNoIgnoredOrBlockedSignals) {
  struct sigaction old {};
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(::sigaction(SIGUSR1, &ignore, &old), 0);
  const std::string status = run_process({"cat", "/proc/self/status"}).out;
  ::sigaction(SIGUSR1, &old, nullptr);
  EXPECT_THAT(status, AllOf(HasSubstr("SigIgn:\t0000000000000000"), HasSubstr("SigBlk:\t0000000000000000")));
}

TEST(RunProcess, PassesNoOtherDescriptors) { EXPECT_EQ(run_process(sh("ls /proc/$$/fd")).out, "0\n1\n2\n"); }

TEST(RunProcess, SaysWhichProgramIsMissing) {
  try {
    (void)run_process({"mayfly-no-such-program"});
    FAIL() << "nothing thrown";
  } catch (const SystemError& error) {
    EXPECT_STREQ(error.what(),
                 "run 'mayfly-no-such-program': No such file or directory\n"
                 "  hint: is the package that holds 'mayfly-no-such-program' installed?");
    EXPECT_EQ(error.code(), ENOENT);
  }
}

TEST(RunProcess, SaysWhichStepFailedInTheChild) {
  try {
    (void)run_process({"true"}, {.cwd = "/nowhere"});
    FAIL() << "nothing thrown";
  } catch (const SystemError& error) {
    EXPECT_STREQ(error.what(), "change to directory '/nowhere' for 'true': No such file or directory");
  }
  const TempDir dir;
  write_file(dir.path() / "script", "#!/nowhere/interpreter\n", 0755);
  EXPECT_THROW((void)run_process({(dir.path() / "script").string()}), SystemError);
  EXPECT_THROW((void)run_process({}), Error);
}

TEST(RunProcess, JoinsTheCgroupsGiven) {
  const TempDir dir;
  const UniqueFd procs = open_file(dir.path() / "cgroup.procs", O_RDWR | O_CREAT, 0600);
  EXPECT_TRUE(run_process({"true"}, {.join_cgroups = {procs.get()}}).ok());
  EXPECT_EQ(read_file(dir.path() / "cgroup.procs"), "0");
}

TEST(RunProcess, KeepsPrivateMountsToTheChild) {
  test::require_root();
  if (testing::Test::IsSkipped()) {
    return;
  }
  const TempDir dir;
  const auto result =
      run_process(sh("mount -t tmpfs none . && touch inside && ls"), {.cwd = dir.path(), .private_mounts = true});
  EXPECT_TRUE(result.ok()) << result.err;
  EXPECT_THAT(read_file("/proc/self/mountinfo"), Not(HasSubstr(dir.path().string())));
}

TEST(CheckProcess, ThrowsTheTailOfTheOutput) {
  try {
    check_process(sh("echo one; echo two >&2; exit 3"));
    FAIL() << "nothing thrown";
  } catch (const CommandError& error) {
    EXPECT_EQ(error.exit_code(), 3);
    EXPECT_EQ(error.argv().front(), "sh");
    EXPECT_THAT(error.what(), AllOf(HasSubstr("command sh -c 'echo one; echo two >&2; exit 3' exited with 3; its last "
                                              "output:\n"),
                                    HasSubstr("  | one"), HasSubstr("  | two")));
  }
}

TEST(CheckProcess, NamesTheSignal) {
  try {
    check_process(sh("kill -9 $$"));
    FAIL() << "nothing thrown";
  } catch (const CommandError& error) {
    EXPECT_STREQ(error.what(), "command sh -c 'kill -9 $$' exited with 137 (128 + SIGKILL)");
  }
}

TEST(FindProgram, LooksThroughPath) {
  EXPECT_TRUE(find_program("sh"));
  EXPECT_FALSE(find_program("mayfly-no-such-program"));
  EXPECT_FALSE(find_program(""));
  EXPECT_FALSE(find_program("/etc"));
  EXPECT_EQ(find_program("/bin/sh"), "/bin/sh");
}

TEST(ShellQuote, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(shell_quote({"ls", "-l", "/a b", "", "it's", "$x"}), R"(ls -l '/a b' '' 'it'\''s' '$x')");
}

TEST(Tail, GivesTheLastLines) {
  EXPECT_EQ(tail("a\nb\nc\n", 2), "b\nc");
  EXPECT_EQ(tail("a\nb", 5), "a\nb");
  EXPECT_EQ(tail("\n\n", 5), "");
  EXPECT_EQ(tail("a", 0), "");
}

}  // namespace
}  // namespace mayfly
