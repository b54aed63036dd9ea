#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <thread>

#include "mayfly/exec/command.h"
#include "mayfly/exec/target.h"
#include "mayfly/keeper/client.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/file_io.h"
#include "tests/support/host_snapshot.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using test::HostSnapshot;
using test::leftovers;
using ::testing::IsEmpty;

/// What a test program does, over and over: builds, starts, runs, stops.
[[noreturn]] void be_a_test_program(const Paths& paths) {
  // What it prints when its keeper is killed is expected.
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(null, STDERR_FILENO);
  try {
    for (;;) {
      KeeperClient keeper(paths);
      for (int round = 0; round < 3; ++round) {
        const BuildScope scope = keeper.build_scope();
        const std::filesystem::path staging = paths.staging() / std::to_string(round);
        scope.own(staging);
        std::filesystem::create_directories(staging / "etc");
        write_file(staging / "etc/half", "built");
        if (fork() == 0) {
          prctl(PR_SET_PDEATHSIG, SIGKILL);
          (void)!write(scope.cgroup_procs[0], "0", 1);
          execl("/bin/sleep", "sleep", "1000", nullptr);
          _exit(1);
        }
        const StartedContainer first =
            keeper.start({.name = "first", .lowers = {"/"}, .privileged = round == 1, .network = Network::nat});
        const StartedContainer second =
            keeper.start({.name = "second", .lowers = {"/"}, .limits = {.memory = Bytes{256 << 20}, .pids = 100}});
        (void)run(Target::from_init(first.init_pid),
                  {"/bin/sh", "-c", "echo x > /opt/x; setsid sleep 1000 & sleep 0.005"});
        (void)run(Target::from_init(second.init_pid), {"/bin/sh", "-c", "(sleep 1000 &); true"});
        keeper.destroy("first");
        (void)keeper.shut_down("second", Milliseconds(50));
      }
    }
  } catch (const std::exception&) {
  }
  _exit(1);
}

enum class Victim { test_process, keeper, both };

/// Kills one or both after a random time.
class KillTest : public ::testing::TestWithParam<Victim> {
 protected:
  static constexpr int kRounds = 14;
  static constexpr int kLongestLife = 200;  ///< milliseconds; a whole round of the test program takes about that

  void SetUp() override {
    test::require_root();
    // Orphans come to this process, not to a process 1 that may not reap.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const char* chosen = std::getenv("MAYFLY_TEST_SEED");
    seed_ = chosen != nullptr ? static_cast<unsigned>(std::strtoul(chosen, nullptr, 10)) : std::random_device()();
    random_.seed(seed_);
    std::cout << "MAYFLY_TEST_SEED=" << seed_ << '\n';
  }

  static void reap() {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }

  /// The living keeper, or -1 before it has taken its lease.
  pid_t keeper() const {
    for (const SessionInfo& session : list_sessions(paths_)) {
      if (session.alive) {
        return session.keeper_pid;
      }
    }
    return -1;
  }

  std::vector<std::string> left_of(const HostSnapshot& before, bool purge) {
    std::vector<std::string> left;
    for (const Deadline deadline = Deadline::after(Milliseconds(1'000)); !deadline.passed();) {
      reap();
      if (purge) {
        (void)purge_dead_sessions(paths_);
      }
      left = HostSnapshot::take(paths_).since(before);
      if (left.empty()) {
        break;
      }
      std::this_thread::sleep_for(Milliseconds(5));
    }
    return left;
  }

  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
  std::mt19937 random_;
  unsigned seed_ = 0;
};

TEST_P(KillTest, LeavesNothing) {
  std::filesystem::create_directories(paths_.staging());
  for (int round = 0; round < kRounds; ++round) {
    const HostSnapshot before = HostSnapshot::take(paths_);
    const pid_t test_process = fork();
    if (test_process == 0) {
      be_a_test_program(paths_);
    }
    const int life = static_cast<int>(random_() % kLongestLife);
    std::this_thread::sleep_for(Milliseconds(life));
    const pid_t killed_keeper = GetParam() == Victim::test_process ? -1 : keeper();
    if (killed_keeper > 0) {
      kill(killed_keeper, SIGKILL);
    }
    if (GetParam() != Victim::keeper || killed_keeper < 0) {
      kill(test_process, SIGKILL);
    }
    // One whose keeper has been killed ends by itself.
    ASSERT_EQ(waitpid(test_process, nullptr, 0), test_process);
    ASSERT_THAT(left_of(before, GetParam() != Victim::test_process), IsEmpty())
        << "round " << round << ", killed after " << life << " ms; MAYFLY_TEST_SEED=" << seed_ << " repeats it";
  }
}

std::string name_of(const ::testing::TestParamInfo<Victim>& info) {
  switch (info.param) {
    case Victim::test_process:
      return "TestProcess";
    case Victim::keeper:
      return "Keeper";
    case Victim::both:
      break;
  }
  return "Both";
}

INSTANTIATE_TEST_SUITE_P(All, KillTest, ::testing::Values(Victim::test_process, Victim::keeper, Victim::both), name_of);

}  // namespace
}  // namespace mayfly
