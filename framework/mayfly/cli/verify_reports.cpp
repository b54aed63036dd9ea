#include "mayfly/cli/verify_reports.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "mayfly/cli/usage_error.h"
#include "mayfly/report/tap.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(std::string_view option, const fs::path& path, const std::string& cause,
                         std::string_view hint) {
  UsageError error(fmt::format("{} '{}' can't be written: {}", option, path.string(), cause));
  error.set_hint(hint);
  throw error;
}

void require_writable_file(std::string_view option, const fs::path& file) {
  if (file.empty()) return;
  std::error_code ignored;
  const bool was_there = fs::exists(fs::symlink_status(file, ignored));
  const UniqueFd opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666));
  if (!opened) {
    refuse(option, file, std::generic_category().message(errno), "make its directory, or name another file");
  }
  if (!was_there) ::unlink(file.c_str());
}

void require_writable_directory(std::string_view option, const fs::path& directory) {
  if (directory.empty()) return;
  std::vector<fs::path> made;  // inner ones first
  for (fs::path at = fs::absolute(directory).lexically_normal(); !fs::exists(at); at = at.parent_path()) {
    if (!at.filename().empty()) made.push_back(at);
  }
  std::error_code failure;
  fs::create_directories(directory, failure);
  if (!failure) {
    std::string probe = (directory / ".mayfly-XXXXXX").string();
    if (::mkdtemp(probe.data()) == nullptr) {
      failure = {errno, std::generic_category()};
    } else {
      ::rmdir(probe.c_str());
    }
  }
  for (const fs::path& path : made) ::rmdir(path.c_str());
  if (failure) refuse(option, directory, failure.message(), "name another directory");
}

}  // namespace

void require_writable_reports(const VerifyArguments& arguments) {
  require_writable_file("--junit", arguments.junit);
  require_writable_file("--json", arguments.json);
  require_writable_file("--tap", arguments.tap);
  require_writable_directory("--artifacts", arguments.artifacts);
}

void write_reports(const VerifyArguments& arguments, const std::vector<ScenarioReport>& reports) {
  std::vector<JunitSuite> suites;
  suites.reserve(reports.size());
  for (const ScenarioReport& report : reports) suites.push_back(junit_suite(report));
  if (!arguments.junit.empty()) write_file(arguments.junit, render_junit(suites));
  if (!arguments.tap.empty()) write_file(arguments.tap, render_tap(suites));
  if (!arguments.json.empty()) write_file(arguments.json, render_json(reports));
}

ScenarioReport interrupted_report(ScenarioReport so_far, std::optional<ScenarioStep> running) {
  // Between two steps, or at the end: what comes last is what wasn't done.
  const ScenarioStep next = so_far.steps.empty() ? ScenarioStep::create : ScenarioStep::destroy;
  so_far.steps.push_back({.step = running.value_or(next),
                          .outcome = StepReport::Outcome::failed,
                          .error = running || !so_far.steps.empty() ? "interrupted" : "interrupted before it began",
                          .by_host = true});
  return so_far;
}

}  // namespace mayfly
