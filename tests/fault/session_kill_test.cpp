// Kills the mayfly command in each phase of its life, and looks within a second whether anything is left.
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "mayfly/keeper/client.h"
#include "tests/fault/scenario.h"
#include "tests/fault/victim.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using test::Victim;
using ::testing::Combine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Values;

enum class Phase { builds, converges, converges_by_ansible, shuts_down, waits, runs, runs_on_a_network };

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::builds:
      return "Builds";
    case Phase::converges:
      return "Converges";
    case Phase::converges_by_ansible:
      return "ConvergesByAnsible";
    case Phase::shuts_down:
      return "ShutsDown";
    case Phase::waits:
      return "WaitsUntilReady";
    case Phase::runs:
      return "Runs";
    case Phase::runs_on_a_network:
      return "RunsOnANetwork";
  }
  return "";
}

constexpr const char* kPlaybook = R"(- hosts: all
  gather_facts: false
  tasks:
    - name: Be at work
      shell: sleep 1000 & setsid sleep 1000 & touch /opt/at-work; sleep 1000
)";

constexpr const char* kConverges = R"([[provision]]
shell = { inline = "sleep 1000 & setsid sleep 1000 & echo at work; sleep 1000" }
)";

/// Its init notes that it has been asked to end, and goes on.
constexpr const char* kDoesNotShutDown = R"([init]
command = ["/bin/sh", "-c", "trap 'touch /opt/at-work' TERM; while :; do sleep 0.02; done"]
[[provision]]
shell = { inline = "true" }
)";

void require_what(Phase phase) {
  if (phase == Phase::runs_on_a_network) {
    test::require_program("slirp4netns");
  } else if (phase == Phase::converges_by_ansible) {
    test::require_program("ansible-playbook");
    test::require(fs::exists("/usr/bin/python3"), "needs python3 in the host's image");
  }
}

class SessionKill : public test::Scenario {
 protected:
  /// Starts the command and waits until it is in the phase.
  void start(Phase phase) {
    std::vector<std::string> command{"sh", "-c", "sleep 1000 & setsid sleep 1000 & echo at work; wait"};
    std::map<std::string, std::string> env = environment();
    env["MAYFLY_LOG"] = "info";
    switch (phase) {
      case Phase::builds:
        stand_in_for_tar();
        env["PATH"] = (directory() / "bin").string() + ":" + ::getenv("PATH");
        profile("[image]\nsource = \"tarball\"\npath = \"rootfs.tar\"\n");
        break;
      case Phase::converges:
        profile(kConverges);
        break;
      case Phase::converges_by_ansible:
        fs::create_directory(directory() / "play");
        write_file(directory() / "play/site.yml", kPlaybook);
        profile("[[provision]]\nansible = \"play/site.yml\"\n");
        break;
      case Phase::shuts_down:
        profile(kDoesNotShutDown);
        break;
      case Phase::waits:
        profile("[init]\nready = { command = [\"sh\", \"-c\", \"setsid sleep 1000 & sleep 1000\"] }\n");
        break;
      case Phase::runs:
        profile("");
        break;
      case Phase::runs_on_a_network:
        profile("network = \"nat\"\n");
        break;
    }
    std::vector<std::string> argv{MAYFLY_COMMAND, "run", "web.toml", "--"};
    argv.insert(argv.end(), command.begin(), command.end());
    victim_.emplace(argv, env, directory());
    ASSERT_TRUE(reached(phase)) << victim_->output();
  }

  Victim& victim() { return *victim_; }

  [[nodiscard]] bool has_session() const {
    std::error_code none;
    return fs::exists(paths().sessions(), none) && !fs::is_empty(paths().sessions(), none);
  }

  /// Whether one container runs.
  [[nodiscard]] bool has_container() const {
    const auto sessions = list_sessions(paths());
    return !sessions.empty() && !sessions.front().containers.empty();
  }

 private:
  bool reached(Phase phase) {
    switch (phase) {
      case Phase::builds:
        return victim_->reaches([this] { return fs::exists(directory() / "unpacking"); });
      case Phase::converges_by_ansible:
      case Phase::shuts_down:
        return victim_->reaches([this] { return is_at_work(); });
      case Phase::waits:
        return victim_->reaches([this] { return has_container(); });
      case Phase::converges:
      case Phase::runs:
      case Phase::runs_on_a_network:
        break;
    }
    return victim_->says("at work\n");
  }

  /// A tar that unpacks a little, starts others and never ends.
  void stand_in_for_tar() const {
    fs::create_directory(directory() / "bin");
    write_file(directory() / "bin/tar",
               "#!/bin/sh\nfor word; do case $word in */rootfs) mkdir -p \"$word/etc\" \"$word/usr\";; esac; done\n"
               "sleep 1000 & setsid sleep 1000 &\n: > '" +
                   (directory() / "unpacking").string() + "'\nsleep 1000\n",
               0755);
    write_file(directory() / "rootfs.tar", "not looked at");
  }

  /// The layer that is made lies on the host's disk.
  [[nodiscard]] bool is_at_work() const {
    std::error_code none;
    for (const auto& staged : fs::directory_iterator(paths().staging(), none)) {
      if (fs::exists(staged.path() / "writable/upper/opt/at-work", none)) {
        return true;
      }
    }
    return false;
  }

  std::optional<Victim> victim_;
};

/// Nothing is left of what it did; what it had finished is of use to the next.
class KilledIn : public SessionKill, public ::testing::WithParamInterface<std::tuple<Phase, bool>> {};

TEST_P(KilledIn, LeavesNothing) {
  const auto [phase, whole_group] = GetParam();
  ASSERT_NO_FATAL_FAILURE(require_what(phase));
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(start(phase));
  if (whole_group) {
    victim().kill_group(SIGKILL);
  } else {
    victim().kill(SIGKILL);
  }
  EXPECT_EQ(victim().wait(), 128 + SIGKILL);
  EXPECT_THAT(left(), IsEmpty());
  if (fs::exists(paths().layers())) {
    EXPECT_TRUE(fs::is_empty(paths().layers()));
  }
}

INSTANTIATE_TEST_SUITE_P(Phases, KilledIn,
                         Combine(Values(Phase::builds, Phase::converges, Phase::converges_by_ansible, Phase::shuts_down,
                                        Phase::waits, Phase::runs, Phase::runs_on_a_network),
                                 Values(false, true)),
                         [](const auto& tested) {
                           return std::string(name_of(std::get<0>(tested.param))) +
                                  (std::get<1>(tested.param) ? "WithItsGroup" : "");
                         });

class InterruptedIn : public SessionKill, public ::testing::WithParamInterface<std::tuple<Phase, int>> {};

TEST_P(InterruptedIn, TearsDownAndSaysSo) {
  const auto [phase, signal] = GetParam();
  ASSERT_NO_FATAL_FAILURE(require_what(phase));
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(start(phase));
  victim().kill(signal);
  EXPECT_EQ(victim().wait(), 128 + signal);
  EXPECT_THAT(left(), IsEmpty());
  if (phase != Phase::runs) {
    // A running command may be the one to hear it first, and then it ends as if it had been sent to the command alone.
    EXPECT_THAT(victim().output(), HasSubstr("mayfly: interrupted; everything was removed\n"));
  }
  EXPECT_THAT(victim().output(), ::testing::Not(HasSubstr("error")));
}

INSTANTIATE_TEST_SUITE_P(Phases, InterruptedIn,
                         Combine(Values(Phase::builds, Phase::converges, Phase::converges_by_ansible, Phase::shuts_down,
                                        Phase::waits, Phase::runs),
                                 Values(SIGINT, SIGTERM)),
                         [](const auto& tested) {
                           return std::string(name_of(std::get<0>(tested.param))) +
                                  (std::get<1>(tested.param) == SIGINT ? "ByInterrupt" : "ByTermination");
                         });

/// A session's directory is the keeper's first trace on the host; from there on, start and stop take some milliseconds.
class KilledAfter : public SessionKill, public ::testing::WithParamInterface<int> {
 protected:
  void start_short() {
    profile("");
    victim_.emplace(std::vector<std::string>{MAYFLY_COMMAND, "run", "web.toml", "--", "true"}, environment(),
                    directory());
  }
  std::optional<Victim> victim_;
};

TEST_P(KilledAfter, ItsSessionBeganLeavesNothing) {
  start_short();
  ASSERT_TRUE(victim_->reaches([this] { return has_session(); })) << victim_->output();
  ::usleep(static_cast<useconds_t>(GetParam()) * 1000);
  victim_->kill_group(SIGKILL);
  victim_->wait();
  EXPECT_THAT(left(), IsEmpty());
}

TEST_P(KilledAfter, ItBeganLeavesNothing) {
  start_short();
  ::usleep(static_cast<useconds_t>(GetParam()) * 1000);
  victim_->kill_group(SIGKILL);
  victim_->wait();
  EXPECT_THAT(left(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Milliseconds, KilledAfter, Values(0, 3, 6, 10, 20, 40, 80, 160));

/// Temporary directories that no session has: of a linter, of a run of tests. The parameter is where they are; a
/// keeper has a /run of its own.
class KilledWithTemporaries : public SessionKill, public ::testing::WithParamInterface<const char*> {
 protected:
  /// Kills it once it has made a directory and the condition holds.
  void start_and_kill(const std::vector<std::string>& argv, const std::function<bool()>& condition) {
    std::map<std::string, std::string> env = environment();
    env["PATH"] = (directory() / "bin").string() + ":" + ::getenv("PATH");
    env["TMPDIR"] = temporary();
    env["MAYFLY_POOL"] = "off";
    Victim victim(argv, env, directory());
    ASSERT_TRUE(victim.reaches([&] { return !is_tidy() && condition(); })) << victim.output();
    victim.kill(SIGKILL);
    victim.wait();
  }

  void kill_a_test_run() {
    ASSERT_NO_FATAL_FAILURE(start_and_kill({MAYFLY_COMMAND, "test", "--framework", "plain", "/bin/sleep", "--", "1000"},
                                           [] { return true; }));
    ASSERT_FALSE(is_tidy());
  }

  [[nodiscard]] std::string temporary() const { return temporary_.path(); }
  [[nodiscard]] bool is_tidy() const { return fs::is_empty(temporary_.path()); }

 private:
  TempDir temporary_{"mayfly-fault-", GetParam()};
};

TEST_P(KilledWithTemporaries, ALinterIsTidiedByItsKeeper) {
  fs::create_directory(directory() / "bin");
  write_file(directory() / "bin/ansible-playbook", "#!/bin/sh\nexec sleep 1000\n", 0755);
  write_file(directory() / "site.yml", kPlaybook);
  profile("[[provision]]\nansible = \"site.yml\"\n");
  ASSERT_NO_FATAL_FAILURE(
      start_and_kill({MAYFLY_COMMAND, "verify", "web.toml"}, [this] { return !list_sessions(paths()).empty(); }));
  EXPECT_THAT(left(), IsEmpty());
  EXPECT_TRUE(is_tidy());
}

TEST_P(KilledWithTemporaries, ATestRunIsTidiedByTheNextSession) {
  ASSERT_NO_FATAL_FAILURE(kill_a_test_run());
  profile("");
  EXPECT_EQ(mayfly({"run", "web.toml", "--", "true"}).exit_code, 0);
  EXPECT_TRUE(is_tidy());
}

TEST_P(KilledWithTemporaries, ATestRunIsTidiedByGc) {
  ASSERT_NO_FATAL_FAILURE(kill_a_test_run());
  EXPECT_THAT(mayfly({"gc"}).out, HasSubstr(temporary() + "/mayfly-test-"));
  EXPECT_TRUE(is_tidy());
}

TEST_P(KilledWithTemporaries, ATestRunWithContainersIsTidiedByTheirKeepers) {
  profile("");
  ASSERT_NO_FATAL_FAILURE(
      start_and_kill({MAYFLY_COMMAND, "test", "web.toml", "--framework", "plain", "/bin/sleep", "--", "1000"},
                     [this] { return has_container(); }));
  EXPECT_THAT(left(), IsEmpty());
  EXPECT_TRUE(is_tidy());
}

TEST_P(KilledWithTemporaries, ARecordOfSomebodyElseIsNotFollowed) {
  const fs::path precious = fs::path(temporary()) / "mayfly-test-record";
  const fs::path record = paths().temporary() / "record";
  const auto write_record = [&](const fs::path& directory) {
    fs::create_directories(record.parent_path());
    write_file(record, directory.string(), 0600);
  };
  fs::create_directory(precious);
  write_record(precious);
  ASSERT_EQ(::chown(record.c_str(), 65534, 65534), 0);
  EXPECT_THAT(mayfly({"gc"}).out, HasSubstr("nothing to remove"));
  EXPECT_TRUE(fs::exists(record)) << "its owner may want it";
  ASSERT_EQ(::chown(record.c_str(), 0, 0), 0);
  fs::permissions(record, fs::perms(0622));
  EXPECT_THAT(mayfly({"gc"}).out, HasSubstr("nothing to remove"));
  fs::remove(record);
  write_record(temporary());
  EXPECT_THAT(mayfly({"gc"}).out, HasSubstr("nothing to remove")) << "the name isn't such a directory's";
  ASSERT_EQ(::chown(precious.c_str(), 65534, 65534), 0);
  write_record(precious);
  EXPECT_THAT(mayfly({"gc"}).out, HasSubstr("nothing to remove"));
  ASSERT_TRUE(fs::exists(precious));
  ASSERT_EQ(::chown(precious.c_str(), 0, 0), 0);
  write_record(precious);
  EXPECT_THAT(mayfly({"gc"}).out, HasSubstr(precious.string()));
  EXPECT_TRUE(is_tidy());
}

INSTANTIATE_TEST_SUITE_P(Below, KilledWithTemporaries, Values("/tmp", "/run"),
                         [](const auto& tested) { return tested.param == std::string("/run") ? "Run" : "Tmp"; });

TEST_F(SessionKill, WhileAContainerStopsLeavesNothing) {
  profile("");
  for (int i = 0; i < 5; ++i) {
    Victim stopping({MAYFLY_COMMAND, "run", "web.toml", "--", "true"}, environment(), directory());
    if (stopping.reaches([this] { return has_container(); })) {
      // Its entry goes first. When that was too short to be seen, the command has just ended, and nothing is left
      // either.
      (void)stopping.reaches([this] { return !has_container(); });
    }
    stopping.kill(SIGKILL);
    stopping.wait();
    EXPECT_THAT(left(), IsEmpty());
  }
}

TEST_F(SessionKill, OfTheFirstConvergeLetsTheSecondConverge) {
  profile("[[provision]]\nshell = { inline = \"echo at work; sleep 1; touch /opt/done\" }\n");
  Victim first({MAYFLY_COMMAND, "run", "web.toml", "--", "true"}, environment(), directory());
  ASSERT_TRUE(first.says("at work")) << first.output();
  Victim second({MAYFLY_COMMAND, "run", "web.toml", "--", "ls", "/opt/done"}, environment(), directory());
  ASSERT_TRUE(second.reaches([this] { return list_sessions(paths()).size() == 2; })) << second.output();
  first.kill(SIGKILL);
  EXPECT_TRUE(second.says("/opt/done\n")) << second.output();
  EXPECT_EQ(second.wait(), 0);
}

}  // namespace
}  // namespace mayfly
