#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "mayfly/admission/admission.h"
#include "mayfly/keeper/client.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1024 * 1024;

/// The built command beside others that hold what it needs: this process, which uses the same runtime directory.
class AdmissionOfTheCommand : public ::testing::Test {
 protected:
  void SetUp() override { test::require_root(); }

  ProcessOptions options() const {
    return {.env = {{"MAYFLY_RUNTIME_DIR", paths_.runtime},
                    {"MAYFLY_STORE_DIR", paths_.store},
                    {"MAYFLY_CONVERGES", "1"},
                    {"TERM", "dumb"}},
            .timeout = Milliseconds(120'000)};
  }

  /// @param script of a provision step; empty: none
  std::string profile(const std::string& name, const std::string& script, const std::string& more = "") const {
    const fs::path file = directory_.path() / (name + ".toml");
    write_file(file, more + (script.empty() ? "" : "[[provision]]\nshell = { inline = \"" + script + "\" }\n"));
    return file;
  }

  /// Runs the command; once it says `text`, `then` is called.
  ProcessResult run_until_said(std::vector<std::string> arguments, const std::string& text,
                               const std::function<void()>& then, ProcessOptions how) const {
    arguments.insert(arguments.begin(), MAYFLY_COMMAND);
    std::string said;
    bool done = false;
    how.on_output = [&](bool, std::string_view piece) {
      said += piece;
      if (!done && said.find(text) != std::string::npos) {
        done = true;
        then();
      }
    };
    return run_process(arguments, how);
  }

  [[nodiscard]] Slots slots() const { return {paths_.admission(), "converge", 1}; }

  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
};

TEST_F(AdmissionOfTheCommand, AConvergeWaitsForAnothersEndAndSaysSo) {
  std::optional<Slot> held = slots().try_take();
  ASSERT_TRUE(held);
  const std::string wanted = "box: waits for a converge to end: 1 at a time (process " + std::to_string(getpid()) + ")";
  const ProcessResult result = run_until_said(
      {"run", profile("box", "true"), "--", "true"}, wanted, [&] { held.reset(); }, options());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr(wanted));
}

TEST_F(AdmissionOfTheCommand, AMachineThatHasConvergedNeedsNoSlot) {
  const std::string box = profile("box", "true");
  ASSERT_TRUE(run_until_said(
                  {"run", box, "--", "true"}, "never", [] {}, options())
                  .ok());
  const std::optional<Slot> held = slots().try_take();
  ASSERT_TRUE(held);
  const ProcessResult result = run_until_said(
      {"run", box, "--", "true"}, "never", [] {}, options());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, Not(HasSubstr("waits for")));
}

TEST_F(AdmissionOfTheCommand, TwoProcessesConvergeOneAfterTheOther) {
  // Each sees whether the other's machine is converging: the slot is this host's, and so is the file.
  std::vector<ProcessResult> results(2);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      results[i] = run_until_said(
          {"run", profile("box" + std::to_string(i), "sleep 2; echo " + std::to_string(i)), "--", "true"}, "never",
          [] {}, options());
    });
  }
  for (std::thread& thread : threads) thread.join();
  int waited = 0;
  for (const ProcessResult& result : results) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    waited += result.err.find("waits for a converge to end") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(waited, 1) << results[0].err << results[1].err;
}

TEST_F(AdmissionOfTheCommand, TheSlotOfAKilledProcessIsFree) {
  const std::string killed = profile("killed", "echo converging; sleep 1000");
  std::vector<std::string> command{"sh", "-c",  "echo $$; exec \"$@\"", "sh", MAYFLY_COMMAND, "run", killed,
                                   "--", "true"};
  ProcessOptions how = options();
  std::string said;
  bool done = false;
  how.on_output = [&](bool, std::string_view piece) {
    said += piece;
    if (!done && said.find("| converging") != std::string::npos) {
      done = true;
      kill(std::stoi(said), SIGKILL);
    }
  };
  EXPECT_EQ(run_process(command, how).exit_code, 128 + SIGKILL);
  const ProcessResult next = run_until_said(
      {"run", profile("box", "true"), "--", "true"}, "never", [] {}, options());
  EXPECT_EQ(next.exit_code, 0) << next.err;
  EXPECT_THAT(next.err, Not(HasSubstr("waits for a converge")));
}

TEST_F(AdmissionOfTheCommand, AStartWaitsForMemoryThatIsPromisedToOthers) {
  const Admission admission(paths_, {});
  std::optional<Promise> all = admission.start({.memory = {1'000'000 * kMiB}, .pids = 1}, "another", [](auto) {});
  const std::string wanted = "box-1: waits for memory: 16MiB wanted, 0MiB available (1000000MiB promised to others)";
  const ProcessResult result = run_until_said(
      {"run", profile("box", ""), "--", "true"}, wanted, [&] { all.reset(); }, options());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr(wanted));
}

TEST_F(AdmissionOfTheCommand, NobodyWaitsForEver) {
  const Admission admission(paths_, {});
  const Promise all = admission.start({.memory = {1'000'000 * kMiB}, .pids = 1}, "another", [](auto) {});
  ProcessOptions how = options();
  how.env["MAYFLY_WAIT"] = "300ms";
  const ProcessResult result = run_until_said(
      {"run", profile("box", ""), "--", "true"}, "never", [] {}, how);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, AllOf(HasSubstr("waited 300ms for memory: 16MiB wanted"), HasSubstr("hint: 'mayfly ps'")));
  how.env["MAYFLY_WAIT"] = "0s";
  EXPECT_EQ(run_until_said(
                {"run", profile("box", ""), "--", "true"}, "never", [] {}, how)
                .exit_code,
            0);
}

/// A control group of its own with a limit of memory, of either version; removed when it goes.
class MemoryGroup {
 public:
  explicit MemoryGroup(std::uint64_t bytes) {
    for (const auto& [top, limit] :
         {std::pair("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), std::pair("/sys/fs/cgroup", "memory.max")}) {
      const fs::path directory = fs::path(top) / ("mayfly-admission-test-" + std::to_string(getpid()));
      std::error_code code;
      if (!fs::exists(fs::path(top) / "cgroup.procs", code) || !fs::create_directory(directory, code)) continue;
      directory_ = directory;
      if (fs::exists(directory / limit, code)) {
        write_file(directory / limit, std::to_string(bytes));
        procs_ = open_file(directory / "cgroup.procs", O_WRONLY);
        return;
      }
      ::rmdir(directory.c_str());
      directory_.clear();
    }
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  ~MemoryGroup() {
    // The last process may still be on its way out.
    const Deadline deadline = Deadline::after(Milliseconds(5'000));
    while (!directory_.empty() && ::rmdir(directory_.c_str()) != 0 && errno == EBUSY && !deadline.passed()) {
      std::this_thread::yield();
    }
  }
  [[nodiscard]] int procs() const { return procs_.get(); }

 private:
  fs::path directory_;
  UniqueFd procs_;
};

TEST_F(AdmissionOfTheCommand, AProcesssOwnMemoryLimitCounts) {
  const MemoryGroup group(160 * kMiB);
  test::require(group.procs() >= 0, "needs a control group with a memory controller");
  if (IsSkipped() || HasFatalFailure()) return;
  const Admission admission(paths_, {});
  std::optional<Promise> other = admission.start({.memory = {kMiB}, .pids = 1}, "another", [](auto) {});
  ProcessOptions how = options();
  how.join_cgroups = {group.procs()};
  const ProcessResult result = run_until_said(
      {"run", profile("box", "", "[limits]\nmemory = \"120MiB\"\n"), "--", "true"}, "waits for memory: 120MiB wanted",
      [&] { other.reset(); }, how);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("waits for memory: 120MiB wanted"));
}

}  // namespace
}  // namespace mayfly
