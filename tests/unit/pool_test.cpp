#include <gmock/gmock.h>

#include <fstream>

#include "mayfly/pool/client.h"
#include "mayfly/pool/demand.h"
#include "mayfly/pool/host_load.h"
#include "mayfly/pool/messages.h"
#include "mayfly/pool/place.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

const PoolDemand::Time kStart = PoolDemand::Time{} + 1h;

unsigned stock(const PoolDemand& demand, PoolDemand::Time now = kStart) {
  return demand.stock(Headroom::enough, 4, now);
}

TEST(PoolDemand, IsNothingBeforeAnybodyAsks) { EXPECT_EQ(stock(PoolDemand{}), 0U); }

TEST(PoolDemand, IsOneOnceSomebodyHasAsked) {
  PoolDemand demand;
  demand.asked(kStart, false, 0);
  EXPECT_EQ(stock(demand), 1U);
}

TEST(PoolDemand, StaysWhileOneIsEnough) {
  PoolDemand demand;
  demand.asked(kStart, false, 0);
  for (int i = 0; i < 10; ++i) {
    demand.asked(kStart, true, 0);
  }
  EXPECT_EQ(stock(demand), 1U);
}

TEST(PoolDemand, DoublesWhenNoneIsReadyUpToTwoAProcessor) {
  PoolDemand demand;
  std::vector<unsigned> wanted;
  for (int i = 0; i < 6; ++i) {
    demand.asked(kStart, false, 0);
    wanted.push_back(stock(demand));
  }
  EXPECT_THAT(wanted, ::testing::ElementsAre(1, 2, 4, 8, 8, 8));
}

TEST(PoolDemand, GrowsWithWhatIsInUseAtOnce) {
  PoolDemand demand;
  for (unsigned in_use = 0; in_use < 12; ++in_use) {
    demand.asked(kStart, false, in_use);
  }
  EXPECT_EQ(stock(demand), 12U);
}

TEST(PoolDemand, IsLittleOnABusyHostAndNothingOnAFullOne) {
  PoolDemand demand;
  for (int i = 0; i < 4; ++i) {
    demand.asked(kStart, false, 0);
  }
  EXPECT_EQ(demand.stock(Headroom::little, 4, kStart), 1U);
  EXPECT_EQ(demand.stock(Headroom::none, 4, kStart), 0U);
}

TEST(PoolDemand, IsForgottenAfterHalfAMinute) {
  PoolDemand demand;
  demand.asked(kStart, false, 0);
  EXPECT_FALSE(demand.forgotten(kStart + 29s));
  EXPECT_TRUE(demand.forgotten(kStart + 30s));
  EXPECT_EQ(stock(demand, kStart + 30s), 0U);
  demand.asked(kStart + 40s, true, 0);
  EXPECT_EQ(stock(demand, kStart + 40s), 1U);
}

TEST(PoolDemand, PausesAfterFailuresLongerEachTime) {
  PoolDemand demand;
  demand.asked(kStart, false, 0);
  demand.failed(kStart);
  EXPECT_EQ(stock(demand, kStart + 499ms), 0U);
  EXPECT_EQ(stock(demand, kStart + 500ms), 1U);
  demand.failed(kStart);
  EXPECT_EQ(stock(demand, kStart + 999ms), 0U);
  demand.became_ready();
  demand.failed(kStart + 1s);
  EXPECT_EQ(stock(demand, kStart + 1500ms), 1U);
  for (int i = 0; i < 100; ++i) {
    demand.failed(kStart);
    demand.asked(kStart + 25s, true, 0);
  }
  EXPECT_EQ(stock(demand, kStart + 29s), 0U);
  EXPECT_EQ(stock(demand, kStart + 30s), 1U);
}

constexpr std::string_view kMeminfo = "MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    8000000 kB\n";

TEST(HostLoad, IsReadFromTheKernelsTexts) {
  const HostLoad load = parse_host_load({.meminfo = kMeminfo,
                                         .memory_pressure = "some avg10=1.50 avg60=0.02\nfull avg10=9.00 avg60=0.00\n",
                                         .cpu_pressure = "some avg10=51.23 avg60=52.20 avg300=43.31 total=1\n",
                                         .loadavg = "0.20 0.18 0.12 3/812 11206\n",
                                         .pid_max = "32768\n"});
  EXPECT_EQ(load, (HostLoad{.memory = {16'384'000'000},
                            .available = {8'192'000'000},
                            .memory_pressure = 1.5,
                            .cpu_pressure = 51.23,
                            .tasks = 812,
                            .most_tasks = 32'768}));
}

TEST(HostLoad, IsNoReasonToHoldBackWhereTheKernelTellsNothing) {
  EXPECT_EQ(headroom(parse_host_load({})), Headroom::enough);
}

TEST(HostLoad, OfThisHostHasMemoryAndTasks) {
  const HostLoad load = host_load();
  EXPECT_GT(load.available.count, 0U);
  EXPECT_GT(load.tasks, 0U);
  EXPECT_GT(load.most_tasks, load.tasks);
}

TEST(Headroom, ShrinksWithMemoryTasksAndPressure) {
  const HostLoad idle{.memory = {16'000'000'000}, .available = {8'000'000'000}, .tasks = 100, .most_tasks = 32'768};
  EXPECT_EQ(headroom(idle), Headroom::enough);
  const auto with = [&](auto change) {
    HostLoad load = idle;
    change(load);
    return headroom(load);
  };
  EXPECT_EQ(with([](HostLoad& load) { load.available = {1'500'000'000}; }), Headroom::none);
  EXPECT_EQ(with([](HostLoad& load) { load.memory = {400'000'000}, load.available = {200'000'000}; }), Headroom::none);
  EXPECT_EQ(with([](HostLoad& load) { load.tasks = 30'000; }), Headroom::none);
  EXPECT_EQ(with([](HostLoad& load) { load.memory_pressure = 20; }), Headroom::none);
  EXPECT_EQ(with([](HostLoad& load) { load.cpu_pressure = 80; }), Headroom::little);
}

PoolRequest request() {
  return {.spec = {.name = "web",
                   .hostname = "web",
                   .lowers = {"/layers/a", "/"},
                   .limits = {.memory = Bytes{1 << 20}, .cpus = 1.5},
                   .network = Network::nat,
                   .env = {{"A", "b\xff"}}},
          .image = "0123",
          .ready = {{.kind = ReadyWhen::Kind::port, .port = 80},
                    {.kind = ReadyWhen::Kind::command, .argv = {"test", "-e", "/x y"}}},
          .within = 5s};
}

TEST(PoolKey, IsTheSameForAnotherName) {
  PoolRequest other = request();
  other.spec.name = "db";
  EXPECT_EQ(pool_key(request()), pool_key(other));
}

TEST(PoolKey, DiffersWithAllElse) {
  std::set<std::string> keys{pool_key(request())};
  const auto add = [&](auto change) {
    PoolRequest other = request();
    change(other);
    keys.insert(pool_key(other));
  };
  add([](PoolRequest& other) { other.spec.hostname = "db"; });
  add([](PoolRequest& other) { other.spec.lowers.pop_back(); });
  add([](PoolRequest& other) { other.spec.limits.pids = 7; });
  add([](PoolRequest& other) { other.spec.network = Network::none; });
  add([](PoolRequest& other) { other.spec.env.clear(); });
  add([](PoolRequest& other) { other.spec.privileged = true; });
  add([](PoolRequest& other) { other.image = "4567"; });
  add([](PoolRequest& other) { other.ready.pop_back(); });
  add([](PoolRequest& other) { other.within = 6s; });
  EXPECT_EQ(keys.size(), 10U);
}

TEST(PoolMessage, KeepsARequest) {
  const ToPool message = to_pool_from_json(to_json(ToPool(to_pool::Want{.request = request(), .hand_out = false})));
  const auto& want = std::get<to_pool::Want>(message);
  EXPECT_EQ(want.request, request());
  EXPECT_FALSE(want.hand_out);
}

TEST(PoolMessage, KeepsAHandOut) {
  const FromPool message = from_pool_from_json(
      to_json(FromPool(from_pool::HandOut{.name = "n", .address = "10.0.2.32", .network_group = "g", .init = 17})));
  const auto& handed = std::get<from_pool::HandOut>(message);
  EXPECT_EQ(handed.name, "n");
  EXPECT_EQ(handed.address, "10.0.2.32");
  EXPECT_EQ(handed.network_group, "g");
  EXPECT_EQ(handed.init, 17);
}

TEST(PoolMessage, IsRefusedWhenItIsNone) {
  EXPECT_THROW((void)to_pool_from_json("{}"), Error);
  EXPECT_THROW((void)from_pool_from_json(R"({"type": 99})"), Error);
}

TEST(BuildIdentity, IsTheSameForTheSameBuild) { EXPECT_EQ(build_identity(), build_identity()); }

class PoolPlace : public ::testing::Test {
 protected:
  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
};

TEST_F(PoolPlace, IsWonByOne) {
  std::optional<PoolElection> first = PoolElection::win(paths_);
  ASSERT_TRUE(first);
  EXPECT_FALSE(PoolElection::win(paths_));
  first.reset();
  EXPECT_TRUE(PoolElection::win(paths_));
}

TEST_F(PoolPlace, IsLostWithItsDirectory) {
  const std::optional<PoolElection> first = PoolElection::win(paths_);
  ASSERT_TRUE(first->holds(paths_));
  std::filesystem::remove(paths_.sessions());
  EXPECT_FALSE(first->holds(paths_));
  const std::optional<PoolElection> second = PoolElection::win(paths_);
  ASSERT_TRUE(second);
  EXPECT_FALSE(first->holds(paths_));
}

TEST_F(PoolPlace, HasNobodyToConnectTo) {
  EXPECT_FALSE(connect_to_pool(paths_));
  // What a dead pool has left.
  std::filesystem::create_directories(paths_.session("1-dead"));
  std::ofstream(paths_.session("1-dead") / "pool").put('x');
  EXPECT_FALSE(connect_to_pool(paths_));
  EXPECT_EQ(end_idle_pool(paths_).pool, -1);
}

TEST_F(PoolPlace, IsFoundInALongDirectory) {
  paths_.runtime /= std::string(120, 'x');
  std::filesystem::create_directories(paths_.session("1-alive"));
  const UniqueFd listening = listen_in_session(paths_, "1-alive");
  EXPECT_EQ(std::filesystem::status(paths_.session("1-alive") / "pool").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  // Only root's pools are trusted.
  EXPECT_EQ(connect_to_pool(paths_).has_value(), ::geteuid() == 0);
  stop_listening(paths_, "1-alive");
  EXPECT_FALSE(connect_to_pool(paths_));
}

}  // namespace
}  // namespace mayfly
