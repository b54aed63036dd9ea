// mayfly test: runs test programs, a process a suite, several at a time.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/exit_code.h"
#include "mayfly/cli/interrupt.h"
#include "mayfly/cli/load_profiles.h"
#include "mayfly/cli/test_text.h"
#include "mayfly/cli/test_view.h"
#include "mayfly/cli/usage_error.h"
#include "mayfly/report/artifacts.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "mayfly/testrun/gtest_arguments.h"
#include "mayfly/testrun/merged_report.h"

namespace mayfly {
namespace {

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

GtestArguments gtest_arguments(const std::vector<std::string>& arguments) {
  try {
    return read_gtest_arguments(arguments, environment);
  } catch (const Error& error) {
    UsageError usage(error.message());
    usage.set_hint(error.hint());
    throw usage;
  }
}

Milliseconds timeout_of(const std::string& text) {
  const auto timeout = parse_duration(text);
  if (!timeout) throw UsageError(fmt::format("--timeout '{}' is no duration such as 90s or 5min", text));
  return *timeout;
}

void check_programs(const std::vector<std::filesystem::path>& programs) {
  for (const std::filesystem::path& program : programs) {
    std::error_code code;
    if (!std::filesystem::exists(program, code)) throw UsageError(fmt::format("'{}' doesn't exist", program.string()));
    if (!find_program(std::filesystem::absolute(program).string())) {
      UsageError error(fmt::format("'{}' isn't an executable file", program.string()));
      error.set_hint("'mayfly test' runs test programs: mayfly test build/web_test");
      throw error;
    }
  }
}

/// A profile that stands before the programs.
std::optional<std::filesystem::path> take_profile(TestArguments& arguments) {
  if (arguments.programs.front().extension() != ".toml") {
    if (!arguments.machine.user.empty() || !arguments.machine.directory.empty() || !arguments.machine.env.empty() ||
        !arguments.copy_in.empty() || !arguments.mounts.empty()) {
      throw UsageError(
          "--user, --workdir, --env, --mount and --copy-in are for programs in a container: give a profile first");
    }
    return std::nullopt;
  }
  std::filesystem::path profile = arguments.programs.front();
  arguments.programs.erase(arguments.programs.begin());
  if (arguments.programs.empty()) {
    throw UsageError(
        fmt::format("'mayfly test {0}' needs a program: mayfly test {0} build/web_test", profile.string()));
  }
  static_cast<void>(load_named_profile(profile));  // what is wrong with it is said once, and before anything runs
  return profile;
}

TestsInside inside(const std::filesystem::path& profile, const TestArguments& arguments) {
  TestsInside result{.mayfly = std::filesystem::read_symlink("/proc/self/exe"),
                     .profile = std::filesystem::absolute(profile)};
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) result.run_options.insert(result.run_options.end(), {option, value});
  };
  add("--user", arguments.machine.user);
  add("--workdir", arguments.machine.directory);
  // The container's environment is a clean one.
  for (const char* name : {"GTEST_ALSO_RUN_DISABLED_TESTS", "GTEST_BREAK_ON_FAILURE", "GTEST_FAIL_FAST",
                           "GTEST_RANDOM_SEED", "GTEST_REPEAT", "GTEST_SHUFFLE", "GTEST_THROW_ON_FAILURE"}) {
    if (const auto value = environment(name)) add("--env", fmt::format("{}={}", name, *value));
  }
  for (const auto& [name, value] : arguments.machine.env) add("--env", fmt::format("{}={}", name, value));
  for (const std::string& mount : arguments.mounts) add("--mount", mount);
  for (const std::string& copy : arguments.copy_in) add("--copy-in", copy);
  return result;
}

TestRunOptions run_options(const TestArguments& arguments) {
  const GtestArguments gtest = gtest_arguments(arguments.gtest);
  const unsigned processors = std::max(1U, std::thread::hardware_concurrency());
  return {.jobs = arguments.jobs > 0 ? arguments.jobs : processors,
          .plan = {.isolation = arguments.isolation, .shard = gtest.shard, .disabled_too = gtest.disabled_too},
          .framework = arguments.framework,
          .filter = arguments.filter.empty() ? gtest.filter : arguments.filter,
          .arguments = gtest.others,
          .timeout = timeout_of(arguments.timeout),
          .fail_fast = gtest.fail_fast,
          .skips_fail = environment("MAYFLY_REQUIRE") == "all",
          .artifacts_root = artifact_root()};
}

std::size_t name_width(const TestRun& run) {
  std::size_t longest = 0;
  for (const TestProcess& process : run.plan().processes) {
    longest = std::max(longest, run.name_of(process).size());
  }
  constexpr std::size_t kWidest = 60;
  return std::min(longest, kWidest);
}

/// What a signal ends, as long as it is there.
class Interruptible {
 public:
  void kill() {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    if (run_ != nullptr) run_->kill_all();
  }
  void set(TestRun* run) {
    const std::lock_guard lock(mutex_);
    run_ = run;
    if (run_ != nullptr && interrupted_) run_->kill_all();
  }

 private:
  std::mutex mutex_;
  TestRun* run_ = nullptr;
  bool interrupted_ = false;
};

int run_tests(const TestArguments& arguments, TestRunOptions options, Interruptible& interruptible,
              const InterruptGuard& guard, const Console& console) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string filter = options.filter;
  TestRun run(arguments.programs, std::move(options));
  if (run.total() == 0 && run.plan().disabled == 0 && !environment("GTEST_TOTAL_SHARDS")) {
    UsageError error(
        fmt::format("no test matches '{}'", filter.empty() ? environment("GTEST_FILTER").value_or("") : filter));
    error.set_hint("a filter is a list of whole names with '*' and '?': --filter 'Web.*:*IndexPage'");
    throw error;
  }
  interruptible.set(&run);
  struct Unset {
    Interruptible& interruptible;
    ~Unset() { interruptible.set(nullptr); }
  } const unset{interruptible};
  TestView view({.total = run.total(),
                 .name_width = name_width(run),
                 .live = is_capable_terminal(isatty(STDOUT_FILENO) != 0, std::getenv("TERM")),
                 .passed = !arguments.quiet,
                 .all_output = arguments.verbose,
                 .columns = terminal_columns(std::getenv("COLUMNS"), STDOUT_FILENO)},
                console);
  run.run({.on_end =
               [&](const FinishedProcess& done) {
                 if (!guard.interrupted()) view.process_ends(done);
               },
           .on_tick = [&](const auto& running, std::size_t done) { view.tick(running, done); }});
  view.clear();
  if (guard.interrupted()) return kExitError;  // the guard ends the process
  const std::vector<FinishedProcess> finished = run.finished();
  const std::vector<MergedSuite> suites = merge(finished);
  const bool failed = std::any_of(finished.begin(), finished.end(), [](const auto& f) { return f.outcome.failed(); });
  if (arguments.times) console.line("\n" + render_times(suites));
  console.line(
      (failed && !arguments.times ? "\n" : "") +
      render_summary(finished,
                     {.disabled = run.plan().disabled,
                      .not_started = run.not_started(),
                      .taken_for_plain = run.taken_for_plain(),
                      .took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin)},
                     console));
  if (!arguments.junit.empty()) {
    std::vector<JunitSuite> all;
    all.reserve(suites.size());
    for (const MergedSuite& suite : suites) all.push_back(suite.junit);
    write_file(arguments.junit, render_junit(all));
  }
  return failed ? kExitFailed : kExitOk;
}

}  // namespace

int test_command(const TestArguments& given, const Console& console) {
  TestArguments arguments = given;
  const std::optional<std::filesystem::path> profile = take_profile(arguments);
  check_programs(arguments.programs);
  TestRunOptions options = run_options(arguments);
  if (profile) options.inside = inside(*profile, arguments);
  Interruptible interruptible;
  const InterruptGuard guard([&] { interruptible.kill(); });
  try {
    const int code = run_tests(arguments, std::move(options), interruptible, guard, console);
    guard.wait_if_interrupted();
    return code;
  } catch (...) {
    guard.wait_if_interrupted();
    throw;
  }
}

}  // namespace mayfly
