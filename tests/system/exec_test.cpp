#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/exec/proc_text.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"
#include "tests/support/test_container.h"

namespace mayfly {
namespace {

using test::TestContainer;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// The tests share a container; none may leave something in it.
class ExecTest : public ::testing::Test {
 protected:
  static void TearDownTestSuite() { shared().reset(); }

  static const Target& target() {
    if (!shared()) {
      shared() = std::make_unique<TestContainer>();
    }
    return shared()->target();
  }

  static ExecResult sh(const std::string& script, const ExecOptions& options = {}) {
    return run(target(), {"sh", "-c", script}, options);
  }

  /// The cgroups of commands that are still there.
  static std::vector<std::string> leaves() {
    const std::string text = mayfly::read_file("/proc/" + std::to_string(target().init_pid()) + "/cgroup");
    const auto cgroups = parse_cgroup_memberships(text);
    const auto v2 = std::find_if(cgroups.begin(), cgroups.end(), [](const auto& c) { return c.controllers.empty(); });
    const auto directory = cgroup_directory(mayfly::read_file("/proc/self/mountinfo"), *v2);
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(*directory)) {
      if (const std::string name = entry.path().filename(); name.starts_with(".mayfly")) {
        names.push_back(name);
      }
    }
    return names;
  }

  static std::string error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

 private:
  static std::unique_ptr<TestContainer>& shared() {
    static std::unique_ptr<TestContainer> container;
    return container;
  }
};

TEST_F(ExecTest, KeepsOutputAndErrorApart) {
  const ExecResult result = sh("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_FALSE(result.ok());
}

TEST_F(ExecTest, PrivateTreeIsSeenReadOnlyByTheCommandAlone) {
  const TempDir directory;
  mayfly::write_file(directory.path() / "file", "of the host\n");
  const ExecOptions with_tree{.private_tree = PrivateTree{directory.path()}};
  const std::string look = "cd /dev/.mayfly/tool && cat file; stat -c %U file; touch file 2>&1";
  EXPECT_THAT(sh(look, with_tree).out, AllOf(StartsWith("of the host\nroot\n"), HasSubstr("Read-only file system")));
  EXPECT_EQ(sh("ls -A /dev/.mayfly/tool").out, "");
  EXPECT_EQ(sh("grep -c /dev/.mayfly/tool /proc/1/mountinfo").out, "0\n");
}

TEST_F(ExecTest, PrivateTreeThatIsNotThereIsAnError) {
  const ExecOptions options{.private_tree = PrivateTree{"/nowhere"}};
  EXPECT_EQ(error_of([&] { sh("true", options); }), "open tree '/nowhere': No such file or directory");
}

TEST_F(ExecTest, RunsInTheContainer) { EXPECT_EQ(sh("hostname; cat /proc/1/comm").out, "test\nmayfly-init\n"); }

TEST_F(ExecTest, HasACleanEnvironment) {
  EXPECT_EQ(run(target(), {"env"}, {.env = {{"COLOUR", "blue"}, {"TERM", "xterm"}}}).out,
            "COLOUR=blue\nHOME=/root\nLANG=C.UTF-8\nLOGNAME=root\n"
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nTERM=xterm\nUSER=root\n");
}

TEST_F(ExecTest, StartsInASessionOfItsOwnWithDefaults) {
  EXPECT_EQ(sh("pwd; umask; ulimit -n").out, "/\n0022\n1024\n");
  EXPECT_EQ(sh("test $(ps -o sid= $$) = $$").exit_code, 0);
}

TEST_F(ExecTest, ResetsSignals) {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  const ExecResult result = run(target(), {"grep", "-E", "SigBlk|SigIgn", "/proc/self/status"});
  sigaction(SIGPIPE, &before, nullptr);
  EXPECT_EQ(result.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(ExecTest, PassesNoDescriptorOn) {
  const UniqueFd leaky(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  ASSERT_TRUE(leaky);
  EXPECT_EQ(run(target(), {"ls", "/proc/self/fd"}).out, "0\n1\n2\n3\n");  // 3 is the listed directory
}

TEST_F(ExecTest, HasInitsCapabilitiesAndFilter) {
  const char* const kFields = "grep -E 'CapBnd|CapInh|CapAmb|^Seccomp:' /proc/";
  EXPECT_EQ(sh(kFields + std::string("self/status")).out, sh(kFields + std::string("1/status")).out);
}

TEST_F(ExecTest, KeepsTheCallerDumpable) {
  ASSERT_EQ(prctl(PR_GET_DUMPABLE), 1);
  EXPECT_TRUE(sh("true").ok());
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
}

TEST_F(ExecTest, ShowsNothingOfTheCallerToTheContainersRoot) {
  // Looks at each new process before it has executed its program; what it can trace it can also write to.
  constexpr const char* kSpy = R"(
    open(OUT, ">", "/run/spied"); $| = 1;
    while (1) {
      open(F, "<", "/proc/loadavg"); $last = (split " ", <F>)[4]; close(F);
      for $pid ($last .. $last + 3) {
        $exe = readlink("/proc/$pid/exe");
        if ($exe =~ /system_exec/) { syswrite(OUT, "$exe "); }
        if ($exe =~ /true$/) { $seen = 1; open(S, ">", "/run/spying"); close(S); }
      }
    })";
  check(target(), {"sh", "-c", "perl -e '" + std::string(kSpy) + "' >/dev/null 2>&1 & echo $! > /run/spy"});
  constexpr int kRuns = 400;
  for (int i = 0; i < kRuns; ++i) {
    ASSERT_TRUE(run(target(), {"true"}).ok());
  }
  sh("kill $(cat /run/spy)");
  EXPECT_TRUE(file_status(target(), "/run/spying")) << "the spy was too slow to see anything";
  EXPECT_EQ(read_file(target(), "/run/spied"), "");
}

TEST_F(ExecTest, CanOpenItsOutputByName) {
  const ExecResult result = sh("echo one > /dev/stdout; echo two > /dev/stderr");
  EXPECT_EQ(result.out, "one\n");
  EXPECT_EQ(result.err, "two\n");
}

TEST_F(ExecTest, RunsAsAnotherUser) {
  const ExecResult result =
      run(target(), {"sh", "-c", "id -un; id -gn; pwd; echo $HOME; echo x > /dev/stdout"}, {.user = "www-data"});
  // Debian's www-data lives in /var/www, which isn't always there.
  EXPECT_THAT(result.out, AllOf(StartsWith("www-data\nwww-data\n/"), EndsWith("\n/var/www\nx\n"))) << result.err;
  EXPECT_EQ(run(target(), {"id", "-u"}, {.user = "4711"}).out, "4711\n");
  EXPECT_EQ(run(target(), {"grep", "CapEff", "/proc/self/status"}, {.user = "www-data"}).out,
            "CapEff:\t0000000000000000\n");
}

TEST_F(ExecTest, RefusesAnUnknownUser) {
  EXPECT_EQ(error_of([] { (void)run(target(), {"true"}, {.user = "nobody-here"}); }),
            "the container has no user 'nobody-here'");
}

TEST_F(ExecTest, RunsInADirectory) {
  EXPECT_EQ(run(target(), {"pwd"}, {.cwd = "/etc"}).out, "/etc\n");
  EXPECT_EQ(error_of([] { (void)run(target(), {"pwd"}, {.cwd = "/nowhere"}); }),
            "change to directory '/nowhere' in the container: No such file or directory");
}

TEST_F(ExecTest, RefusesWhatCantBeACommand) {
  EXPECT_EQ(error_of([] { (void)run(target(), {}); }), "no command to run in the container: argv is empty");
  EXPECT_EQ(error_of([] {
              (void)run(target(), {"true"}, {.env = {{"A=B", "c"}}});
            }),
            "'A=B' is no name for an environment variable");
  EXPECT_EQ(error_of([] { (void)run(target(), {std::string("a\0b", 3)}); }),
            "an argument of a command in a container has a NUL byte in it");
}

TEST_F(ExecTest, ReportsAMissingProgramAsAShellDoes) {
  const ExecResult result = run(target(), {"nosuch"});
  EXPECT_EQ(result.exit_code, 127);
  EXPECT_EQ(result.err,
            "mayfly: 'nosuch' not found in the container's PATH "
            "(/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)\n");
  EXPECT_EQ(run(target(), {"/no/such"}).err, "mayfly: '/no/such' not found in the container\n");
}

TEST_F(ExecTest, ReportsWhatCantBeExecuted) {
  const ExecResult result = run(target(), {"/etc/passwd"});
  EXPECT_EQ(result.exit_code, 126);
  EXPECT_EQ(result.err, "mayfly: '/etc/passwd' can't be executed: Permission denied\n");
  write_file(target(), "/run/orphan", "#!/no/interpreter\n", 0755);
  EXPECT_EQ(
      run(target(), {"/run/orphan"}).err,
      "mayfly: '/run/orphan' can't be executed: its interpreter or dynamic loader doesn't exist in the container\n");
}

TEST_F(ExecTest, RunsAScriptWithoutInterpreterLine) {
  write_file(target(), "/run/plain", "echo \"$1\"\n", 0755);
  EXPECT_EQ(run(target(), {"/run/plain", "arg"}).out, "arg\n");
}

TEST_F(ExecTest, LooksProgramsUpInTheGivenPath) {
  write_file(target(), "/run/tool", "#!/bin/sh\necho mine\n", 0755);
  EXPECT_EQ(run(target(), {"tool"}, {.env = {{"PATH", "/nowhere:/run"}}}).out, "mine\n");
}

TEST_F(ExecTest, ReportsASignalAsAShellDoes) { EXPECT_EQ(sh("kill -TERM $$").exit_code, 143); }

TEST_F(ExecTest, FeedsMoreInputThanAPipeHolds) {
  const std::string text(3'000'000, 'x');
  EXPECT_EQ(run(target(), {"cat"}, {.stdin_text = text}).out, text);
}

TEST_F(ExecTest, SurvivesACommandThatReadsNoInput) {
  EXPECT_TRUE(run(target(), {"true"}, {.stdin_text = std::string(1'000'000, 'x')}).ok());
}

TEST_F(ExecTest, HasInputAtItsEnd) { EXPECT_EQ(run(target(), {"cat"}).out, ""); }

TEST_F(ExecTest, CollectsALotOfOutput) {
  constexpr std::size_t kSize = 100'000'000;
  EXPECT_EQ(sh("head -c 100000000 /dev/zero").out.size(), kSize);
}

TEST_F(ExecTest, ShowsOutputAsItComes) {
  std::string first;
  const ExecResult result =
      sh("echo early; sleep 0.3; echo late", {.on_output = [&](bool is_stderr, std::string_view piece) {
           if (first.empty() && !is_stderr) {
             first = piece;
           }
         }});
  EXPECT_EQ(first, "early\n");
  EXPECT_EQ(result.out, "early\nlate\n");
}

TEST_F(ExecTest, DoesntWaitForABackgroundChildThatHoldsThePipes) {
  const auto begin = Deadline::Clock::now();
  EXPECT_EQ(sh("sleep 20 & echo started").out, "started\n");
  EXPECT_LT(Deadline::Clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(sh("pkill -x sleep").exit_code, 0) << "it should still have been running";
}

TEST_F(ExecTest, EndsWhileABackgroundChildWritesForEver) {
  EXPECT_TRUE(sh("yes & sleep 0.1").ok());
  sh("pkill -x yes");
}

TEST_F(ExecTest, KillsTheWholeTreeAtTheDeadline) {
  const ExecResult result =
      sh("echo begun; setsid sleep 4711 & (trap '' TERM; sleep 4711); sleep 4711", {.timeout = Milliseconds(300)});
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, 137);
  EXPECT_EQ(result.out, "begun\n");
  EXPECT_LT(result.duration, Milliseconds(3'000));
  EXPECT_EQ(sh("pgrep -f 'sleep 471[1]'").out, "");
}

TEST_F(ExecTest, KillsTheTreeWhenTheCallersFunctionThrows) {
  const auto refuse = [](bool, std::string_view) { throw Error("no more"); };
  EXPECT_EQ(error_of([&] { sh("sleep 4712 & echo x; sleep 4712", {.on_output = refuse}); }), "no more");
  EXPECT_EQ(sh("pgrep -f 'sleep 471[2]'").out, "");
}

TEST_F(ExecTest, LeavesNoCgroup) {
  sh("sleep 4713 &");
  EXPECT_EQ(leaves().size(), 1U) << "a background process needs its cgroup";
  sh("pkill -f 'sleep 471[3]'");
  // The next commands remove it, once the process is quite gone.
  for (const Deadline deadline = Deadline::after(Milliseconds(5'000)); !leaves().empty() && !deadline.passed();) {
    sh("true");
  }
  EXPECT_THAT(leaves(), IsEmpty());
}

TEST_F(ExecTest, CheckThrowsWithTheOutput) {
  EXPECT_THROW(check(target(), {"false"}), CommandError);
  EXPECT_THAT(error_of([] {
                check(target(), {"sh", "-c", "echo broken >&2; exit 3"});
              }),
              AllOf(HasSubstr("exited with 3"), HasSubstr("broken")));
  EXPECT_THAT(error_of([] {
                check(target(), {"sleep", "20"}, {.timeout = Milliseconds(100)});
              }),
              HasSubstr("'sleep 20' did not end within 100ms and was killed"));
}

TEST_F(ExecTest, RunsFromManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kRuns = 20;
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  target();
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < kRuns; ++n) {
        const std::string text = std::to_string(i * kRuns + n);
        good += run(target(), {"cat"}, {.stdin_text = text}).out == text ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, kThreads * kRuns);
  EXPECT_THAT(leaves(), IsEmpty());
}

TEST(Target, SaysThatTheContainerHasStopped) {
  TestContainer container;
  EXPECT_FALSE(container.target().dead());
  container.destroy();
  EXPECT_TRUE(container.target().dead());
  try {
    (void)run(container.target(), {"true"});
    FAIL() << "it ran";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "container has stopped");
  }
}

TEST(Target, TakesNoProcessForAnInitThatIsNone) {
  EXPECT_THROW((void)Target::from_init(getpid()), Error);
  EXPECT_THROW((void)Target::from_init(1 << 22), Error);
}

TEST(ExecPrivileged, HasInitsCapabilitiesToo) {
  TestContainer container([](ContainerSpec& spec) { spec.privileged = true; });
  const char* const kFields = "grep -hE 'CapBnd|CapPrm|CapEff|^Seccomp:' /proc/self/status";
  const ExecResult ours = run(container.target(), {"sh", "-c", kFields});
  EXPECT_THAT(ours.out, Not(IsEmpty()));
  EXPECT_EQ(ours.out,
            run(container.target(), {"sh", "-c", "grep -hE 'CapBnd|CapPrm|CapEff|^Seccomp:' /proc/1/status"}).out);
}

TEST(ExecLimits, CountForCommands) {
  TestContainer container([](ContainerSpec& spec) { spec.limits.pids = 20; });
  const ExecResult result = run(container.target(), {"sh", "-c", "for i in $(seq 30); do sleep 5 & done; wait"},
                                {.timeout = Milliseconds(10'000)});
  EXPECT_THAT(result.err, HasSubstr("fork"));
}

TEST(RunDuringTheContainersEnd, SaysSo) {
  TestContainer container;
  std::thread killer([&] {
    // By init's pidfd, once the command runs.
    while (!file_status(container.target(), "/run/begun")) {
      std::this_thread::yield();
    }
    container.destroy();
  });
  ExecResult result;
  try {
    result = run(container.target(), {"sh", "-c", "touch /run/begun; sleep 30"});
  } catch (const Error& error) {
    result.err = error.what();
  }
  killer.join();
  EXPECT_EQ(result.exit_code, 137);
  EXPECT_THAT(result.err, HasSubstr("mayfly: the container stopped while this command ran"));
}

TEST_F(ExecTest, WhoStopsACommandBeforeItIsExecutedHoldsNobody) {
  static_cast<void>(target());
  const std::jthread stopping([] { (void)sh("while :; do kill -STOP -1; done", {.timeout = Milliseconds(6'000)}); });
  // It is looked for in so many places that it is stopped on the way.
  std::string path;
  for (int i = 0; i < 10'000; ++i) path += "/nowhere:";
  constexpr int kKilled = 128 + SIGKILL;
  int killed = 0;
  for (int i = 0; i < 5; ++i) {
    try {
      killed += run(target(), {"mayfly-none"}, {.env = {{"PATH", path}}}).exit_code == kKilled ? 1 : 0;
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr("'mayfly-none' was killed or stopped by somebody in the container"));
      ++killed;
    }
  }
  EXPECT_GT(killed, 0);
}

}  // namespace
}  // namespace mayfly
