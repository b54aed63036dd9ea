// The pool against real containers, in a runtime directory of its own.
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "mayfly/facts/network_facts.h"
#include "mayfly/keeper/client.h"
#include "mayfly/keeper/detached.h"
#include "mayfly/pool/client.h"
#include "mayfly/session/clean_state.h"
#include "mayfly/session/session.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/host_snapshot.h"
#include "tests/support/requirements.h"
#include "tests/support/shared_container.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
namespace fs = std::filesystem;

constexpr Milliseconds kPatience{30'000};

bool reaches(const std::function<bool()>& condition) {
  for (const Deadline deadline = Deadline::after(kPatience); !condition();) {
    if (deadline.passed()) {
      return false;
    }
    std::this_thread::sleep_for(Milliseconds(2));
  }
  return true;
}

class PoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    test::require_root();
    // Sessions say themselves whether they draw; the pool goes with the last of them, as far as a test says nothing
    // else.
    ::unsetenv("MAYFLY_POOL");
    ::setenv("MAYFLY_POOL_LINGER", "1ms", 1);
    // The pool is nobody's child, and process 1 may not reap, or not at once.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    before_ = test::HostSnapshot::take(paths_);
  }

  void TearDown() override {
    if (!IsSkipped()) {
      EXPECT_THAT(left(), IsEmpty());
      EXPECT_FALSE(fs::exists(paths_.runtime));
    }
    ::unsetenv("MAYFLY_POOL_LINGER");
  }

  std::vector<std::string> left() {
    std::vector<std::string> all;
    (void)reaches([&] {
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      all = test::HostSnapshot::take(paths_).since(before_);
      return all.empty();
    });
    return all;
  }

  [[nodiscard]] SessionOptions options() const { return {.paths = paths_, .pool = true}; }
  [[nodiscard]] Profile profile(std::string_view toml = "") const {
    return parse_profile(toml, "web", directory_.path());
  }

  [[nodiscard]] std::optional<SessionInfo> pool() const {
    for (SessionInfo& session : list_sessions(paths_)) {
      if (session.alive && session.owner_command.starts_with("mayfly-pool ")) {
        return std::move(session);
      }
    }
    return std::nullopt;
  }
  /// The inits of the pool's containers.
  [[nodiscard]] std::set<pid_t> pooled() const {
    std::set<pid_t> inits;
    if (const auto found = pool()) {
      for (const auto& container : found->containers) {
        inits.insert(container.init_pid);
      }
    }
    return inits;
  }
  [[nodiscard]] bool is_pooled(const Container& container) const {
    return pooled().contains(container.target().init_pid());
  }

  /// Starts containers, one after the other, until one comes from the pool.
  Container draw(Session& session, const Profile& wanted) {
    std::optional<Container> drawn;
    const bool came = reaches([&] {
      drawn.reset();
      drawn = session.start(wanted);
      return is_pooled(*drawn);
    });
    EXPECT_TRUE(came) << "no container came from the pool";
    return *std::move(drawn);
  }

  TempDir directory_{"mayfly-pool-"};
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
  test::HostSnapshot before_;
};

TEST_F(PoolTest, HandsOutContainersThatAreTheProfiles) {
  Session session(options());
  const Profile web = profile("hostname = \"www\"\nenv = { ROLE = \"web\" }");
  const Container drawn = draw(session, web);
  EXPECT_EQ(drawn.run({"sh", "-c", "uname -n; cat /etc/hostname; echo $ROLE"}).out, "www\nwww\nweb\n");
  EXPECT_TRUE(drawn.running());
  EXPECT_EQ(drawn.why_stopped(), "");
  const Container other = session.start(profile("hostname = \"db\""));
  EXPECT_EQ(other.run({"uname", "-n"}).out, "db\n");
}

TEST_F(PoolTest, HasOneUseForEachContainer) {
  Session session(options());
  std::set<pid_t> inits;
  std::set<std::string> machine_ids;
  for (int i = 0; i < 5; ++i) {
    Container drawn = draw(session, profile());
    EXPECT_EQ(drawn.run({"sh", "-c", "ls /etc/trace /tmp /opt/trace 2>/dev/null"}).out, "/tmp:\n");
    drawn.write_file("/etc/trace", "x");
    drawn.check({"sh", "-c", "touch /tmp/trace /opt/trace; sleep 1000 &"});
    machine_ids.insert(drawn.read_file("/etc/machine-id"));
    const pid_t init = drawn.target().init_pid();
    inits.insert(init);
    drawn.teardown();
    EXPECT_FALSE(pooled().contains(init));
  }
  EXPECT_THAT(inits, SizeIs(5));
  EXPECT_THAT(machine_ids, SizeIs(5));
}

TEST_F(PoolTest, IsSharedByProcesses) {
  Session holder(options());
  (void)draw(holder, profile());
  write_file(directory_.path() / "web.toml", "");
  const std::map<std::string, std::string> env{{"MAYFLY_RUNTIME_DIR", paths_.runtime},
                                               {"MAYFLY_STORE_DIR", paths_.store},
                                               {"MAYFLY_POOL", "on"},
                                               {"MAYFLY_LOG", "debug"}};
  const pid_t pool_pid = pool()->owner_pid;
  const std::size_t sessions = list_sessions(paths_).size();
  // A container is asked for by the profile's path, so these are another kind than the holder's.
  int drawn = 0;
  EXPECT_TRUE(reaches([&] {
    std::size_t most = 0;
    const ProcessResult result = run_process(
        {MAYFLY_COMMAND, "run", (directory_.path() / "web.toml").string(), "--", "echo", "up"},
        {.env = env,
         .on_output = [&](bool, std::string_view) { most = std::max(most, list_sessions(paths_).size()); }});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "up\n");
    // One that has no keeper of its own has got everything from the pool.
    drawn += most == sessions ? 1 : 0;
    return drawn == 3;
  }));
  EXPECT_EQ(pool()->owner_pid, pool_pid);
}

TEST_F(PoolTest, KeepsLimits) {
  Session session(options());
  const Container drawn = draw(session, profile("limits = { disk = \"1MiB\", pids = 8, memory = \"64MiB\" }"));
  const ExecResult fills = drawn.run({"sh", "-c", "head -c 2000000 /dev/zero > /opt/x"});
  EXPECT_THAT(fills.err, HasSubstr("No space left"));
  EXPECT_THAT(drawn.run({"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done"}).err, HasSubstr("fork"));
}

TEST_F(PoolTest, DoesNotHandOutADeadContainer) {
  Session session(options());
  (void)draw(session, profile());
  ASSERT_TRUE(reaches([&] { return !pooled().empty(); }));
  const pid_t pool_pid = pool()->owner_pid;
  const std::set<pid_t> killed = pooled();
  ::kill(pool_pid, SIGSTOP);
  for (const pid_t init : killed) {
    const UniqueFd pidfd = open_pidfd(init);
    ::kill(init, SIGKILL);
    pollfd ended{pidfd.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
  }
  ::kill(pool_pid, SIGCONT);
  for (int i = 0; i < 3; ++i) {
    const Container next = session.start(profile());
    EXPECT_FALSE(killed.contains(next.target().init_pid()));
    EXPECT_EQ(next.run({"echo", "alive"}).out, "alive\n");
  }
}

TEST_F(PoolTest, ForgetsWhatALayerWasWhenItIsMadeAnew) {
  Session session(options());
  const Profile web = profile("[[provision]]\nshell = { inline = \"date +%s%N > /opt/made; echo mayfly: unchanged\" }");
  const std::string first = draw(session, web).read_file("/opt/made");
  ASSERT_TRUE(reaches([&] { return !pooled().empty(); }));
  fs::rename(paths_.layers(), directory_.path() / "away");
  const std::string second = session.start(web).read_file("/opt/made");
  EXPECT_NE(first, second);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(draw(session, web).read_file("/opt/made"), second);
  }
}

TEST_F(PoolTest, DrawsOnlyForAPlainStart) {
  Session session(options());
  (void)draw(session, profile());
  ASSERT_TRUE(reaches([&] { return !pooled().empty(); }));
  EXPECT_FALSE(is_pooled(session.start_unprovisioned(profile())));
  EXPECT_FALSE(is_pooled(session.start(profile(), {.fresh = true})));
}

TEST_F(PoolTest, IsOffUnlessASessionOrTheEnvironmentWantsIt) {
  {
    Session session({.paths = paths_});
    (void)session.start(profile());
    EXPECT_FALSE(pool());
  }
  ::setenv("MAYFLY_POOL", "off", 1);
  {
    Session session(options());
    (void)session.start(profile());
    EXPECT_FALSE(pool());
  }
  ::setenv("MAYFLY_POOL", "on", 1);
  {
    Session session({.paths = paths_});
    (void)draw(session, profile());
  }
  ::setenv("MAYFLY_POOL", "perhaps", 1);
  EXPECT_THROW(Session session(options()), Error);
  ::unsetenv("MAYFLY_POOL");
}

TEST_F(PoolTest, DestroysWhatASessionLeavesBehind) {
  std::optional<Session> session(std::in_place, options());
  Session holder(options());
  const Container drawn = draw(*session, profile());
  const pid_t init = drawn.target().init_pid();
  session.reset();
  EXPECT_FALSE(drawn.running());
  EXPECT_FALSE(pooled().contains(init));
}

TEST_F(PoolTest, WaitsForTheNextUserBeforeItEnds) {
  ::setenv("MAYFLY_POOL_LINGER", "1min", 1);
  pid_t pool_pid = -1;
  {
    Session session(options());
    (void)draw(session, profile());
    pool_pid = pool()->owner_pid;
  }
  {
    Session session(options());
    ASSERT_TRUE(reaches([&] { return !pooled().empty(); }));
    EXPECT_TRUE(is_pooled(session.start(profile())));
    EXPECT_EQ(pool()->owner_pid, pool_pid);
    // In use: it goes on.
    const PoolEnd refused = end_idle_pool(paths_);
    EXPECT_FALSE(refused.ended);
    EXPECT_EQ(refused.pool, pool_pid);
    EXPECT_EQ(refused.users, 1U);
  }
  const std::map<std::string, std::string> env{{"MAYFLY_RUNTIME_DIR", paths_.runtime},
                                               {"MAYFLY_STORE_DIR", paths_.store}};
  EXPECT_THAT(run_process({MAYFLY_COMMAND, "ps"}, {.env = env}).out, HasSubstr("mayfly-pool"));
  // It may still be told of the last user's end.
  EXPECT_TRUE(reaches([&] {
    const std::string out = run_process({MAYFLY_COMMAND, "gc"}, {.env = env}).out;
    return out.starts_with("pool (process " + std::to_string(pool_pid) + "), which nobody used");
  }));
  EXPECT_EQ(run_process({MAYFLY_COMMAND, "gc"}, {.env = env}).out, "nothing to remove\n");
}

TEST_F(PoolTest, DoesNotHoldItsStartersOutput) {
  ::setenv("MAYFLY_POOL_LINGER", "1min", 1);
  write_file(directory_.path() / "web.toml", "");
  // Through a pipe that somebody reads to its end, as CTest does.
  const ProcessResult result = run_process(
      {"sh", "-c", "\"$0\" run \"$1\" -- true 2>&1 | cat", MAYFLY_COMMAND, (directory_.path() / "web.toml").string()},
      {.env = {{"MAYFLY_RUNTIME_DIR", paths_.runtime}, {"MAYFLY_STORE_DIR", paths_.store}, {"MAYFLY_POOL", "on"}},
       .timeout = Milliseconds(30'000)});
  EXPECT_TRUE(result.ok()) << result.out;
  EXPECT_TRUE(reaches([&] { return end_idle_pool(paths_).ended; }));
}

TEST_F(PoolTest, GivesEachSessionItsOwnNetwork) {
  test::require_program("slirp4netns");
  if (IsSkipped()) return;
  const Profile web = profile("network = \"nat\"");
  Session session(options());
  const Container first = draw(session, web);
  EXPECT_EQ(first.address(), "10.0.2.32");
  EXPECT_THAT(interface(first.target(), "eth0").addresses, Contains(first.address() + "/24"));
  EXPECT_THAT(first.read_file("/etc/hosts"), HasSubstr(first.address()));
  // A neighbour refuses what nobody listens for; a stranger isn't there.
  const auto asks = [](const Container& from, const std::string& address) {
    return from.run({"bash", "-c", "exec 3<>/dev/tcp/" + address + "/9"}, {.timeout = Milliseconds(20'000)}).err;
  };
  const Container second = session.start(web);
  EXPECT_EQ(second.address(), "10.0.2.33");
  EXPECT_TRUE(is_pooled(second)) << "the first one's network is the pool's";
  EXPECT_THAT(asks(second, first.address()), HasSubstr("refused"));
  Session another(options());
  const Container stranger = draw(another, web);
  EXPECT_EQ(stranger.address(), "10.0.2.32");
  EXPECT_THAT(asks(stranger, second.address()), Not(HasSubstr("refused")));
}

TEST_F(PoolTest, BootsSystemdAhead) {
  paths_.store = Paths::from_environment().store;
  Profile web = profile();
  web.image = test::systemd_image();
  Session session(options());
  const Container drawn = draw(session, web);
  EXPECT_EQ(drawn.run({"systemctl", "is-system-running"}).out, "running\n");
}

TEST_F(PoolTest, BacksOffFromWhatCannotBeStarted) {
  Session session(options());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW((void)session.start(profile("init = { ready = { file = \"/never\" }, within = \"50ms\" }")), Error);
  }
  // It serves others all the same.
  (void)draw(session, profile());
}

class ResetTest : public PoolTest, public ::testing::WithParamInterface<bool> {
 protected:
  [[nodiscard]] SessionOptions options() const { return {.paths = paths_, .pool = GetParam()}; }
};

TEST_P(ResetTest, LeavesNothingOfTheOldMachine) {
  const Profile web = profile("privileged = true");
  Session session(options());
  const Container fresh = session.start(web);
  Container used = session.start(web);
  const MachineState untouched = fresh.capture_state();
  used.check({"sh", "-c",
              "echo x > /etc/trace; rm -f /etc/debian_version; chmod 700 /opt; echo x > /tmp/trace; useradd app;"
              "mount -t tmpfs none /mnt; echo 7 > /proc/sys/kernel/msgmni; mkfifo /run/trace;"
              "exec setsid sleep 1000 >/dev/null 2>&1 <&- &"});
  ASSERT_FALSE(difference(untouched, used.capture_state()).empty());
  const std::string name = used.name();
  const pid_t init = used.target().init_pid();
  used.reset();
  EXPECT_EQ(used.name(), name);
  EXPECT_NE(used.target().init_pid(), init);
  EXPECT_TRUE(used.running());
  const auto machine_ids = std::vector<IgnoreRule>{{.pattern = "/etc/machine-id", .reason = "a machine's own"}};
  EXPECT_EQ(render(ignoring(difference(untouched, used.capture_state()), machine_ids)), "");
  EXPECT_EQ(used.run({"sh", "-c", "ls /proc | grep -c '^[0-9]'"}).out,
            fresh.run({"sh", "-c", "ls /proc | grep -c '^[0-9]'"}).out);
  EXPECT_NE(::kill(init, 0), 0);
}

TEST_P(ResetTest, KeepsTheConvergedLayer) {
  Session session(options());
  Container used = session.start(profile("[[provision]]\nshell = { inline = \"echo made > /opt/made\" }"));
  used.write_file("/opt/made", "spoiled");
  used.reset();
  EXPECT_EQ(used.read_file("/opt/made"), "made\n");
}

TEST_P(ResetTest, RevivesOneThatHasStopped) {
  Session session(options());
  Container used = session.start(profile());
  ::kill(used.target().init_pid(), SIGKILL);
  ASSERT_TRUE(reaches([&] { return !used.running(); }));
  used.reset();
  EXPECT_EQ(used.run({"echo", "alive"}).out, "alive\n");
}

TEST_P(ResetTest, NeedsItsSession) {
  std::optional<Session> session(std::in_place, options());
  Container used = session->start(profile());
  session.reset();
  try {
    used.reset();
    FAIL() << "it was reset";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("session"), HasSubstr("resetting container 'web-1'")));
  }
}

TEST_P(ResetTest, IsCheapWhereNothingHasChanged) {
  Session session(options());
  Container used = session.start(profile());
  const CleanState clean(used);
  (void)used.run({"ls", "-R", "/etc"});
  EXPECT_EQ(clean.changes(used), "");
  used.write_file("/tmp/trace", "x");
  EXPECT_EQ(clean.changes(used), "added     file /tmp/trace: mode 0644\n");
  used.check({"rm", "/tmp/trace"});
  EXPECT_EQ(clean.changes(used), "");
  used.check({"sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 <&- &"});
  EXPECT_THAT(clean.changes(used), AllOf(HasSubstr("added     process "), HasSubstr(": sleep 1000")));
}

INSTANTIATE_TEST_SUITE_P(Pool, ResetTest, ::testing::Values(false, true),
                         [](const auto& tested) { return tested.param ? "On" : "Off"; });

}  // namespace
}  // namespace mayfly
