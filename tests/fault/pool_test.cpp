// Kills the pool, its keeper and its users, and looks within a second whether anything is left.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/keeper/client.h"
#include "tests/fault/scenario.h"
#include "tests/fault/victim.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using test::Victim;
using ::testing::IsEmpty;

class PoolKill : public test::Scenario {
 protected:
  void SetUp() override {
    Scenario::SetUp();
    profile("");
    env_ = environment();
    env_["MAYFLY_POOL"] = "on";
    env_["MAYFLY_POOL_LINGER"] = "100ms";
  }

  [[nodiscard]] std::optional<SessionInfo> pool() const {
    for (SessionInfo& session : list_sessions(paths())) {
      if (session.alive && session.owner_command.starts_with("mayfly-pool ")) {
        return std::move(session);
      }
    }
    return std::nullopt;
  }

  /// Starts commands until one works in a container of the pool.
  void start_in_pool() {
    // Keeps the pool alive until then.
    Victim holder(command("echo holding; sleep 1000"), env_, directory());
    ASSERT_TRUE(holder.says("holding\n")) << holder.output();
    for (int attempt = 0; attempt < 100; ++attempt) {
      victim_.emplace(command("setsid sleep 1000 & echo at work; sleep 1000"), env_, directory());
      ASSERT_TRUE(victim_->says("at work\n")) << victim_->output();
      if (!has_a_keeper_of_its_own()) {
        break;
      }
      victim_->kill_group(SIGKILL);
      victim_->wait();
    }
    ASSERT_FALSE(has_a_keeper_of_its_own());
    holder.kill(SIGKILL);
    holder.wait();
  }

  [[nodiscard]] bool has_a_keeper_of_its_own() const {
    const std::vector<SessionInfo> sessions = list_sessions(paths());
    return std::any_of(sessions.begin(), sessions.end(), [](const SessionInfo& session) {
      return session.owner_command.find("echo at work") != std::string::npos;
    });
  }

  static std::vector<std::string> command(const std::string& script) {
    return {MAYFLY_COMMAND, "run", "web.toml", "--", "sh", "-c", script};
  }

  std::map<std::string, std::string> env_;
  std::optional<Victim> victim_;
};

TEST_F(PoolKill, OfAUserLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(start_in_pool());
  victim_->kill(SIGKILL);
  victim_->wait();
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(PoolKill, OfThePoolLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(start_in_pool());
  kill(pool()->owner_pid, SIGKILL);
  // Its container is killed.
  EXPECT_NE(victim_->wait(), 0);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(PoolKill, OfItsKeeperLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(start_in_pool());
  kill(pool()->keeper_pid, SIGKILL);
  EXPECT_NE(victim_->wait(), 0);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(PoolKill, OfBothIsUndoneByTheNextSession) {
  ASSERT_NO_FATAL_FAILURE(start_in_pool());
  const std::optional<SessionInfo> killed = pool();
  kill(killed->owner_pid, SIGSTOP);
  kill(killed->keeper_pid, SIGKILL);
  kill(killed->owner_pid, SIGKILL);
  EXPECT_NE(victim_->wait(), 0);
  EXPECT_EQ(mayfly({"run", "web.toml", "--", "true"}).exit_code, 0);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(PoolKill, DoesNotKeepTheNextFromStarting) {
  ASSERT_NO_FATAL_FAILURE(start_in_pool());
  kill(pool()->owner_pid, SIGKILL);
  for (int i = 0; i < 3; ++i) {
    Victim next(command("echo at work"), env_, directory());
    EXPECT_EQ(next.wait(), 0) << next.output();
  }
  victim_->wait();
  EXPECT_THAT(left(), IsEmpty());
}

/// While the pool starts, starts its first containers, and serves.
class PoolKilledAfter : public PoolKill, public ::testing::WithParamInterface<int> {};

TEST_P(PoolKilledAfter, WithAllItsUsersLeavesNothing) {
  Victim user(command("echo at work; sleep 1000"), env_, directory());
  ASSERT_TRUE(user.says("at work\n")) << user.output();
  usleep(static_cast<useconds_t>(GetParam()) * 1000);
  const std::optional<SessionInfo> found = pool();
  user.kill(SIGKILL);
  if (found) {
    kill(found->owner_pid, SIGKILL);
  }
  user.wait();
  EXPECT_THAT(left(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Milliseconds, PoolKilledAfter, ::testing::Values(0, 3, 6, 10, 20, 40));

}  // namespace
}  // namespace mayfly
