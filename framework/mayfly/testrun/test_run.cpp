#include "mayfly/testrun/test_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <sstream>
#include <utility>

#include "mayfly/report/artifacts.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "mayfly/support/unique_fd.h"
#include "mayfly/testrun/framework.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds kTick{100};
constexpr Milliseconds kListingPatience{60'000};
/// In which a container can be made and removed, with all that may have to be waited for or built.
constexpr Milliseconds kMachineTime = std::chrono::hours(1);
constexpr const char* kListing = "(list of tests)";
/// Where a program in a container writes its results.
constexpr const char* kResultInside = "/tmp/.mayfly-test-result.xml";

/// File names, or where two programs share one, their paths.
std::vector<std::string> names_of(const std::vector<fs::path>& programs) {
  std::map<std::string, int> count;
  for (const fs::path& program : programs) ++count[program.filename().string()];
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const fs::path& program : programs) {
    const std::string name = count[program.filename().string()] > 1 ? program.string() : program.filename().string();
    std::string unique = name;
    for (int number = 2; !taken.insert(unique).second; ++number) unique = fmt::format("{}#{}", name, number);
    names.push_back(std::move(unique));
  }
  return names;
}

FinishedProcess unlisted(const TestProgram& program, const std::string& why) {
  FinishedProcess failure{.process = {.suite = kListing, .tests = {}, .name = kListing},
                          .program = program.name,
                          .command = {program.file.string()},
                          .started = std::chrono::system_clock::now()};
  failure.outcome.problem = why;
  failure.outcome.cases.push_back({.name = kListing,
                                   .class_name = kListing,
                                   .outcome = JunitCase::Outcome::error,
                                   .message = why.substr(0, why.find('\n')),
                                   .details = why});
  return failure;
}

}  // namespace

/// A process's output so far.
struct TestRun::Watched {
  std::chrono::system_clock::time_point started = std::chrono::system_clock::now();
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  UniqueFd output;
  TestProgress progress;
  explicit Watched(TestFramework framework) : progress(framework) {}

  void catch_up() {
    std::array<char, 65'536> piece{};
    while (true) {
      const ssize_t count = ::read(output.get(), piece.data(), piece.size());
      if (count > 0) {
        progress.read({piece.data(), static_cast<std::size_t>(count)});
      } else if (count == 0 || errno != EINTR) {
        return;
      }
    }
  }
};

TestRun::TestRun(const std::vector<fs::path>& programs, TestRunOptions options)
    : options_(std::move(options)), running_(options_.paths) {
  const std::vector<std::string> names = names_of(programs);
  for (std::size_t i = 0; i < programs.size(); ++i)
    list({.file = fs::absolute(programs[i]).lexically_normal(), .name = names[i]});
  plan_ = plan_processes(programs_, options_.plan);
  std::map<std::pair<std::size_t, std::string>, std::size_t> places;
  for (const TestProcess& process : plan_.processes) {
    places.emplace(std::pair(process.program, to_string(process.tests.front()) + process.name), places.size());
  }
  order_by_duration(plan_.processes,
                    [&](const TestProcess& process) { return durations_[process.program].of(process.name); });
  for (const TestProcess& process : plan_.processes) {
    places_.push_back(places.at({process.program, to_string(process.tests.front()) + process.name}));
  }
}

TestRun::~TestRun() = default;

void TestRun::list(TestProgram program) {
  try {
    program.framework = options_.framework ? *options_.framework : detect_framework(program.file);
    const Milliseconds patience =
        options_.timeout.count() > 0 ? std::min(options_.timeout, kListingPatience) : kListingPatience;
    program.suites = list_tests(program, options_.filter, options_.arguments, patience);
  } catch (const Error& error) {
    unlisted_.push_back(unlisted(program, fmt::format("can't tell its tests: {}", error.what())));
    return;
  }
  if (program.suites.empty() && options_.filter.empty() && ::getenv("GTEST_FILTER") == nullptr) {
    unlisted_.push_back(unlisted(program, fmt::format("has no tests: it isn't a {} program, or none were linked",
                                                      mayfly::name_of(program.framework))));
    return;
  }
  if (program.framework == TestFramework::plain && !options_.framework) taken_for_plain_.push_back(program.name);
  durations_.emplace_back(options_.paths, program.file);
  programs_.push_back(std::move(program));
}

fs::path TestRun::file_of(std::size_t id, const char* extension) const {
  return directory_->path() / fmt::format("{}.{}", id, extension);
}

std::vector<std::string> TestRun::selection_of(const TestProcess& process) const {
  if (!process.whole) return selection(process.framework, process.tests);
  std::string filter = options_.filter;
  // The container's environment is a clean one.
  const char* inherited = process.framework == TestFramework::gtest ? ::getenv("GTEST_FILTER") : nullptr;
  if (filter.empty() && inherited != nullptr) filter = inherited;
  return selection(process.framework, filter);
}

std::map<std::string, std::string> TestRun::shard_of(const TestProcess& process) const {
  // Unless the program deals its tests itself, each process is a shard's choice already.
  const Shard shard = process.whole ? options_.plan.shard : Shard();
  return {{"GTEST_TOTAL_SHARDS", std::to_string(shard.total)}, {"GTEST_SHARD_INDEX", std::to_string(shard.index)}};
}

TestRun::Files TestRun::files_of(std::size_t id) const {
  return {.result = file_of(id, "xml"), .status = file_of(id, "status")};
}

TestRun::Command TestRun::command_of(const TestProcess& process, const std::optional<Files>& files) const {
  Command command;
  std::vector<std::string>& argv = command.argv;
  if (const std::optional<TestsInside>& inside = options_.inside) {
    argv = {inside->mayfly.string(), "run", "--host-program"};
    argv.insert(argv.end(), inside->run_options.begin(), inside->run_options.end());
    if (process.whole && options_.plan.shard.total > 1) {
      for (const auto& [name, value] : shard_of(process))
        argv.insert(argv.end(), {"--env", fmt::format("{}={}", name, value)});
    }
    if (files) {
      argv.insert(argv.end(), {"--status", files->status.string()});
      if (options_.timeout.count() > 0) {
        argv.insert(argv.end(), {"--timeout", fmt::format("{}ms", options_.timeout.count())});
      }
      if (!options_.artifacts_root.empty()) {
        argv.insert(argv.end(), {"--artifacts", artifacts_of(process).string()});
      }
      if (process.framework != TestFramework::plain) {
        argv.insert(argv.end(), {"--copy-out", fmt::format("{}={}", kResultInside, files->result.string())});
      }
    }
    argv.insert(argv.end(), {inside->profile.string(), "--"});
  }
  argv.push_back(programs_[process.program].file.string());
  const std::vector<std::string> chosen = selection_of(process);
  command.selection = argv.size();
  command.selection_length = chosen.size();
  argv.insert(argv.end(), chosen.begin(), chosen.end());
  argv.insert(argv.end(), options_.arguments.begin(), options_.arguments.end());
  if (files) {
    const auto words = result_options(process.framework, options_.inside ? kResultInside : files->result.string());
    argv.insert(argv.end(), words.begin(), words.end());
  }
  return command;
}

std::string TestRun::name_of(const TestProcess& process) const {
  const std::string& program = programs_[process.program].name;
  return process.name.empty() ? program : fmt::format("{}.{}", program, process.name);
}

fs::path TestRun::artifacts_of(const TestProcess& process) const {
  return artifact_directory(options_.artifacts_root, name_of(process));
}

std::string FinishedProcess::title() const {
  return process.name.empty() ? program : fmt::format("{}.{}", program, process.name);
}

std::vector<std::string> FinishedProcess::command_for(const TestName& test) const {
  if (std::find(process.tests.begin(), process.tests.end(), test) == process.tests.end()) return command;
  const auto begin = command.begin() + static_cast<std::ptrdiff_t>(selection);
  std::vector<std::string> again(command.begin(), begin);
  const std::vector<std::string> chosen = mayfly::selection(process.framework, std::vector{test});
  again.insert(again.end(), chosen.begin(), chosen.end());
  again.insert(again.end(), begin + static_cast<std::ptrdiff_t>(selection_length), command.end());
  return again;
}

void TestRun::start(std::size_t id) {
  const TestProcess& process = plan_.processes[id];
  RunningProcesses::Start how{
      .argv = command_of(process, files_of(id)).argv, .env = shard_of(process), .output = file_of(id, "out")};
  if (options_.inside && ::getenv("MAYFLY_POOL") == nullptr) how.env["MAYFLY_POOL"] = "on";
  if (options_.timeout.count() > 0) {
    // In a container the program's time is what counts, and `mayfly run` sees to that.
    how.timeout = options_.timeout + (options_.inside ? kMachineTime : Milliseconds(0));
  }
  if (!options_.artifacts_root.empty()) {
    const std::string& name = programs_[process.program].name;
    how.env["MAYFLY_ARTIFACTS_DIR"] = programs_.size() == 1
                                          ? options_.artifacts_root.string()
                                          : artifact_directory(options_.artifacts_root, name).string();
  }
  // What is there is of an earlier run.
  if (options_.inside && !options_.artifacts_root.empty()) remove_tree(artifacts_of(process));
  auto watched = std::make_unique<Watched>(process.framework);
  if (!running_.start(id, how)) {
    stopped_ = true;
    return;
  }
  watched->output = open_file(how.output, O_RDONLY);
  watched_.emplace(id, std::move(watched));
}

ProcessEnd TestRun::end_inside(const ProcessEnd& end, const fs::path& status) const {
  std::istringstream words(read_file_if_exists(status).value_or(""));
  std::string how;
  int number = 0;
  words >> how >> number;
  ProcessEnd inside{.duration = end.duration};
  if (how == "timeout") {
    inside.timed_out = options_.timeout;
  } else if (how == "signal") {
    inside.signal = number;
  } else if (how == "exit") {
    inside.exit_code = number;
  } else {
    inside = end;
    inside.machine_failed = true;
  }
  return inside;
}

void TestRun::finish(std::size_t id, ProcessEnd end, const Observer& observer) {
  const Files files = files_of(id);
  if (options_.inside) end = end_inside(end, files.status);
  const std::unique_ptr<Watched> watched = std::move(watched_.at(id));
  watched_.erase(id);
  watched->catch_up();
  const TestProcess& process = plan_.processes[id];
  Command command = command_of(process, std::nullopt);
  FinishedProcess done{.process = process,
                       .program = programs_[process.program].name,
                       .command = std::move(command.argv),
                       .selection = command.selection,
                       .selection_length = command.selection_length,
                       .started = watched->started,
                       .end = end,
                       .outcome = outcome_of(process, end, read_file_if_exists(files.result), watched->progress),
                       .output = file_of(id, "out")};
  ::unlink(files.result.c_str());
  ::unlink(files.status.c_str());
  if (options_.skips_fail) fail_skipped(done.outcome);
  if (done.outcome.problem.empty()) durations_[process.program].remember(process.name, end.duration);
  conclude(id, std::move(done), observer);
}

void TestRun::conclude(std::size_t id, FinishedProcess done, const Observer& observer) {
  if (options_.fail_fast && done.outcome.failed()) stopped_ = true;
  const FinishedProcess& kept = finished_.emplace(id, std::move(done)).first->second;
  observer.on_end(kept);
}

void TestRun::run(const Observer& observer) {
  directory_.emplace("test", options_.paths);
  for (const FinishedProcess& failure : unlisted_) observer.on_end(failure);
  stopped_ = options_.fail_fast && !unlisted_.empty();
  std::size_t next = 0;
  while (running_.count() > 0 || (next < plan_.processes.size() && !stopped_)) {
    while (!stopped_ && next < plan_.processes.size() && running_.count() < options_.jobs) start(next++);
    std::vector<RunningTest> now;
    for (auto& [id, watched] : watched_) {
      watched->catch_up();
      const TestProcess& process = plan_.processes[id];
      const std::string test = watched->progress.running().value_or("");
      now.push_back(
          {.name = name_of(process),
           .test = test.substr(std::min(test.find('.') + 1, test.size())),
           .elapsed = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - watched->begin)});
    }
    observer.on_tick(now, finished_.size() + unlisted_.size());
    for (const auto& ended : running_.wait(kTick)) finish(ended.id, ended.end, observer);
  }
  for (const Durations& durations : durations_) durations.save();
}

std::vector<FinishedProcess> TestRun::finished() const {
  std::vector<std::pair<std::size_t, const FinishedProcess*>> places;
  places.reserve(finished_.size());
  for (const auto& [id, done] : finished_) places.emplace_back(places_.at(id), &done);
  std::sort(places.begin(), places.end());
  std::vector<FinishedProcess> all = unlisted_;
  all.reserve(all.size() + places.size());
  for (const auto& [place, done] : places) all.push_back(*done);
  return all;
}

}  // namespace mayfly
