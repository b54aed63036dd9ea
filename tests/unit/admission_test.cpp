#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "mayfly/admission/admission.h"
#include "mayfly/admission/measure.h"
#include "mayfly/admission/room.h"
#include "mayfly/admission/slots.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr Room kPlentyOfRoom{.memory = {8192 * kMiB}, .pids = 30'000};

TEST(Room, AContainerFitsWhereThereIsRoom) {
  EXPECT_THAT(lacking(kPlentyOfRoom, {.memory = {256 * kMiB}, .pids = 64}, {}), IsEmpty());
}

TEST(Room, SaysWhatIsLacking) {
  EXPECT_EQ(lacking({.memory = {300 * kMiB}, .pids = 9999}, {.memory = {256 * kMiB}, .pids = 1}, {}),
            "memory: 256MiB wanted, 236MiB available");
  EXPECT_EQ(
      lacking({.memory = {400 * kMiB}, .pids = 9999}, {.memory = {256 * kMiB}, .pids = 1}, {.memory = {100 * kMiB}}),
      "memory: 256MiB wanted, 236MiB available (100MiB promised to others)");
  EXPECT_EQ(lacking({.memory = {8192 * kMiB}, .pids = 150}, {.memory = {1}, .pids = 64}, {}),
            "processes: 64 wanted, 22 available");
  EXPECT_THAT(lacking({.memory = {8192 * kMiB}, .pids = 9999, .memory_stall = 40}, {.memory = {1}, .pids = 1}, {}),
              StartsWith("memory: the host stood still for want of it in 40% of the last 10s"));
}

TEST(Room, NothingIsAvailableRatherThanLessThanNothing) {
  EXPECT_EQ(lacking({.memory = {1 * kMiB}, .pids = 9999}, {.memory = {16 * kMiB}, .pids = 1}, {.memory = {500 * kMiB}}),
            "memory: 16MiB wanted, 0MiB available (500MiB promised to others)");
}

TEST(StartDemand, IsAnEstimateBelowTheLimits) {
  EXPECT_LT(demand_of({}, false, false).memory, demand_of({}, true, false).memory);
  EXPECT_LT(demand_of({}, true, false).memory, demand_of({}, true, true).memory);
  EXPECT_EQ(demand_of({.memory = Bytes{100 * kMiB}}, true, false).memory, Bytes{100 * kMiB});
  EXPECT_EQ(demand_of({.memory = Bytes{100 * 1024 * kMiB}}, true, false).memory, Bytes{256 * kMiB})
      << "a generous limit is no sign of a great need";
  EXPECT_EQ(demand_of({.pids = 8}, true, false).pids, 8U);
}

/// A host made of files.
class Measure : public testing::Test {
 protected:
  Measure() {
    put("proc/meminfo", "MemTotal:       24000000 kB\nMemFree:        20000000 kB\nMemAvailable:   21000000 kB\n");
    put("proc/loadavg", "0.20 0.18 0.12 1/80 11206\n");
    put("proc/sys/kernel/pid_max", "32768\n");
    put("proc/sys/kernel/threads-max", "190000\n");
    put("proc/pressure/memory",
        "some avg10=3.50 avg60=0.00 avg300=0.00 total=0\nfull avg10=1.25 avg60=0.00 avg300=0.00 total=0\n");
  }
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((root_.path() / name).parent_path());
    write_file(root_.path() / name, text);
  }
  [[nodiscard]] HostMeasure measure() const { return HostMeasure(root_.path()); }
  TempDir root_;
};

TEST_F(Measure, ReadsTheHost) {
  const Room room = measure().room();
  EXPECT_EQ(room.memory, Bytes{21'000'000ULL * 1024});
  EXPECT_EQ(room.pids, 32'768U - 80U);
  EXPECT_DOUBLE_EQ(room.memory_stall, 1.25);
}

TEST_F(Measure, IsBoundedByItsOwnControlGroupsAndTheirParents) {
  put("proc/self/cgroup", "0::/ci/job\n");
  put("proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  put("sys/fs/cgroup/ci/memory.max", std::to_string(600 * kMiB) + "\n");
  put("sys/fs/cgroup/ci/memory.current", std::to_string(500 * kMiB) + "\n");
  put("sys/fs/cgroup/ci/memory.stat", "anon 1\ninactive_file " + std::to_string(100 * kMiB) + "\nactive_file 7\n");
  put("sys/fs/cgroup/ci/job/memory.max", "max\n");
  put("sys/fs/cgroup/ci/job/memory.current", "1000\n");
  put("sys/fs/cgroup/ci/job/pids.max", "100\n");
  put("sys/fs/cgroup/ci/job/pids.current", "40\n");
  put("sys/fs/cgroup/ci/job/cpu.max", "50000 100000\n");
  EXPECT_EQ(measure().room().memory, Bytes{200 * kMiB}) << "page cache that can be dropped isn't used";
  EXPECT_EQ(measure().room().pids, 60U);
  EXPECT_EQ(measure().processors(), 1U);
}

TEST_F(Measure, KnowsVersionOneToo) {
  put("proc/self/cgroup", "9:name=systemd:/\n4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n");
  put("proc/self/mountinfo",
      "31 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "32 1 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(64 * kMiB) + "\n");
  put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(32 * kMiB) + "\n");
  put("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "100000\n");
  put("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(measure().room().memory, Bytes{32 * kMiB});
  EXPECT_EQ(measure().processors(), 1U);
}

TEST_F(Measure, WhatAKernelDoesNotTellIsPlenty) {
  fs::remove(root_.path() / "proc/pressure/memory");
  fs::remove(root_.path() / "proc/meminfo");
  EXPECT_EQ(measure().room().memory_stall, 0);
  EXPECT_THAT(lacking(measure().room(), {.memory = {kMiB}, .pids = 1}, {}), IsEmpty());
}

TEST(HostMeasure, WorksOnThisHost) {
  EXPECT_GT(HostMeasure().room().memory.count, 0U);
  EXPECT_THAT(HostMeasure().processors(), Ge(1U));
}

TEST(Slots, AreAsManyAsTheyAreAndFreeWhenTheyGo) {
  const TempDir directory;
  const Slots slots(directory.path() / "admission", "converge", 2);
  std::optional<Slot> first = slots.try_take();
  const std::optional<Slot> second = slots.try_take();
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(slots.try_take());
  EXPECT_TRUE(Slots(directory.path() / "admission", "build", 2).try_take()) << "another kind";
  first.reset();
  EXPECT_TRUE(slots.try_take());
}

TEST(Slots, MoveAndMoveAssign) {
  const TempDir directory;
  const Slots slots(directory.path(), "converge", 2);
  std::optional<Slot> first = slots.try_take();
  std::optional<Slot> second = slots.try_take();
  *first = std::move(*second);
  EXPECT_TRUE(slots.try_take()) << "what was held before is free";
  Slot third(std::move(*first));
  first.reset();
  std::optional<Slot> free = slots.try_take();
  EXPECT_FALSE(slots.try_take()) << "the moved one is held still";
}

TEST(Slots, SayWhatTheyWaitForAndGiveUpAtTheLimit) {
  const TempDir directory;
  const Slots slots(directory.path(), "converge", 1);
  const std::optional<Slot> held = slots.try_take();
  std::vector<std::string> said;
  try {
    (void)slots.take([&](std::string_view line) { said.emplace_back(line); }, Milliseconds(1'300));
    FAIL() << "took what was taken";
  } catch (const TimeoutError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("for a converge to end: 1 at a time (process " + std::to_string(getpid())),
                      HasSubstr("MAYFLY_WAIT")));
  }
  EXPECT_THAT(said, testing::ElementsAre(StartsWith("waits for a converge to end: 1 at a time (process ")));
}

/// A child that takes something and is then killed.
template <typename Take>
void take_in_a_killed_child(Take take) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = take();
    const char byte = 1;
    if (write(ends[1], &byte, 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  close(ends[0]);
  close(ends[1]);
}

TEST(Slots, OfAKilledProcessAreFree) {
  const TempDir directory;
  const Slots slots(directory.path(), "converge", 1);
  take_in_a_killed_child([&] { return slots.try_take(); });
  EXPECT_TRUE(slots.try_take());
}

class Admissions : public testing::Test {
 protected:
  [[nodiscard]] Admission admission(AdmissionOptions options = {}) const {
    fs::create_directories(host_.path() / "proc");
    write_file(host_.path() / "proc/meminfo", "MemAvailable: 204800 kB\n");
    return Admission(paths_, options, HostMeasure(host_.path()));
  }
  TempDir directory_;
  TempDir host_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
  std::vector<std::string> said_;
  Progress progress_ = [this](std::string_view line) { said_.emplace_back(line); };
};

constexpr StartDemand kHundred{.memory = {100 * kMiB}, .pids = 16};

TEST_F(Admissions, WhatIsPromisedIsTakenForOthers) {
  const Admission admits = admission({.limit = Milliseconds(1'300)});
  {
    const Promise first = admits.start(kHundred, "a", progress_);
    EXPECT_EQ(promised(paths_.admission()), kHundred);
    EXPECT_THROW((void)admits.start(kHundred, "b", progress_), TimeoutError);
    EXPECT_THAT(said_, testing::ElementsAre(StartsWith(
                           "waits for memory: 100MiB wanted, 36MiB available (100MiB promised to others) (")));
  }
  EXPECT_EQ(promised(paths_.admission()), StartDemand{});
  const Promise second = admits.start(kHundred, "b", progress_);
}

TEST_F(Admissions, NothingWaitsWhereNothingOfMayflysRuns) {
  const Promise promise = admission().start({.memory = {500 * kMiB}, .pids = 1}, "a", progress_);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Admissions, PromisesOfAKilledProcessAreForgotten) {
  const Admission admits = admission();
  take_in_a_killed_child([&] { return admits.start(kHundred, "a", progress_); });
  EXPECT_EQ(promised(paths_.admission()), StartDemand{});
}

TEST_F(Admissions, NothingWaitsWithALimitOfZero) {
  const Admission admits = admission({.limit = Milliseconds(0), .converges = 1});
  const Promise first = admits.start(kHundred, "a", progress_);
  const Promise second = admits.start(kHundred, "b", progress_);
  EXPECT_FALSE(admits.converge(progress_));
  EXPECT_FALSE(fs::exists(paths_.admission()));
}

TEST_F(Admissions, ConvergesAndBuildsHaveSlotsOfTheirOwn) {
  const Admission admits = admission({.limit = Milliseconds(1), .converges = 1});
  const std::optional<Slot> converge = admits.converge(progress_);
  EXPECT_TRUE(converge);
  EXPECT_TRUE(admits.build(progress_));
  EXPECT_THROW((void)admits.converge(progress_), TimeoutError);
}

TEST(AdmissionOptions, ComeFromTheEnvironment) {
  const auto read = [](const char* wait, const char* converges) {
    setenv("MAYFLY_WAIT", wait, 1);
    setenv("MAYFLY_CONVERGES", converges, 1);
    struct Unset {
      ~Unset() {
        unsetenv("MAYFLY_WAIT");
        unsetenv("MAYFLY_CONVERGES");
      }
    } const unset;
    return AdmissionOptions::from_environment();
  };
  EXPECT_EQ(read("90s", "3").limit, Milliseconds(90'000));
  EXPECT_EQ(read("", "3").converges, 3U);
  EXPECT_EQ(read("", "").converges, 0U);
  EXPECT_THROW((void)read("5", ""), Error);
  EXPECT_THROW((void)read("", "0"), Error);
  EXPECT_THROW((void)read("", "many"), Error);
}

}  // namespace
}  // namespace mayfly
