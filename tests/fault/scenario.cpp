#include "tests/fault/scenario.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <regex>

#include "mayfly/support/deadline.h"
#include "tests/golden/golden_file.h"
#include "tests/support/requirements.h"

namespace mayfly::test {
namespace {

namespace fs = std::filesystem;

std::string with_names(std::string text, const fs::path& directory) {
  for (std::size_t at = 0; (at = text.find(directory.string())) != std::string::npos;) {
    text.replace(at, directory.string().size(), "$DIRECTORY");
  }
  text = std::regex_replace(text, std::regex("127\\.0\\.0\\.1:[0-9]+"), "127.0.0.1:$$PORT");
  return std::regex_replace(text, std::regex("\\.new-[0-9]+-[0-9a-f]{8}"), ".new-$$SESSION");
}

/// What a scenario's programs have started has their environment, wherever it is now and whoever its parent is.
void add_processes_with(const std::string& variable, std::vector<std::string>& found) {
  for (const auto& process : fs::directory_iterator("/proc")) {
    if (process.path().filename().string().find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    try {
      const std::string environment = '\0' + read_file_if_exists(process.path() / "environ").value_or("");
      if (environment.find('\0' + variable + '\0') != std::string::npos) {
        found.push_back(fmt::format("process {} ({})", process.path().filename().string(),
                                    read_file_if_exists(process.path() / "comm").value_or("gone")));
      }
    } catch (const Error&) {
      continue;  // it has just ended
    }
  }
}

}  // namespace

void Scenario::SetUp() {
  require_root();
  // Orphans come to this process, not to a process 1 that may not reap, or not within a second.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  before_ = HostSnapshot::take(paths_);
}

void Scenario::TearDown() {
  if (!IsSkipped()) {
    EXPECT_THAT(left(), ::testing::IsEmpty());
  }
}

std::vector<std::string> Scenario::left() const {
  std::vector<std::string> all;
  const Deadline deadline = Deadline::after(Milliseconds(1'000));
  do {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    all = leftovers(before_, paths_, Milliseconds(5));
    add_processes_with("MAYFLY_RUNTIME_DIR=" + paths_.runtime.string(), all);
  } while (!all.empty() && !deadline.passed());
  for (const fs::path& gone : {paths_.runtime, paths_.locks(), paths_.staging()}) {
    if (std::error_code none; fs::exists(gone, none) && (gone == paths_.runtime || !fs::is_empty(gone))) {
      all.push_back("something in " + gone.string());
    }
  }
  return all;
}

fs::path Scenario::profile(std::string_view toml, const std::string& name) const {
  fs::path file = directory() / (name + ".toml");
  write_file(file, toml);
  return file;
}

std::map<std::string, std::string> Scenario::environment() const {
  return {{"MAYFLY_RUNTIME_DIR", paths_.runtime}, {"MAYFLY_STORE_DIR", paths_.store}, {"MAYFLY_LOG", "warning"}};
}

ProcessResult Scenario::mayfly(const std::vector<std::string>& arguments, ProcessOptions options) const {
  std::vector<std::string> argv{MAYFLY_COMMAND};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  options.env.merge(environment());
  options.cwd = directory();
  options.timeout = Milliseconds(60'000);
  return run_process(argv, options);
}

ProcessResult Scenario::mayfly_on_small_disk(const fs::path& small, const std::string& size,
                                             const std::vector<std::string>& arguments) const {
  constexpr const char* kScript = R"(small=$1 size=$2; shift 2
mkdir -p "$small" && mount -t tmpfs -o size="$size" none "$small" || exit 99
"$@"; code=$?
cd "$small" && find . -mindepth 2
exit $code)";
  std::vector<std::string> argv{"/bin/sh", "-c", kScript, "sh", small, size, MAYFLY_COMMAND};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  ProcessResult result = run_process(
      argv, {.env = environment(), .cwd = directory(), .timeout = Milliseconds(60'000), .private_mounts = true});
  fs::remove(small);
  return result;
}

void Scenario::expect_seen(const ProcessResult& result, int exit_code) const {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string golden = fmt::format("{}.{}.txt", test->test_suite_name(), test->name());
  expect_golden(fs::path(MAYFLY_TEST_DIR) / "golden" / golden, with_names(result.err, directory()));
}

}  // namespace mayfly::test
