#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdlib>

#include "mayfly/provision/host_cgroup.h"
#include "mayfly/provision/host_run.h"
#include "mayfly/provision/interpreter.h"
#include "mayfly/provision/scratch.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/task_lines.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"

namespace mayfly {
namespace {

std::optional<Verdict> cdist_failure(const TaskLines& lines, int exit_code, std::string_view output) {
  if (auto verdict = first_failure("object", lines.tasks)) {
    return verdict;
  }
  if (exit_code != 0) {
    return Verdict{.message = fmt::format("cdist exited with {}: {}", exit_code, last_line(output))};
  }
  if (!lines.finished) {
    return Verdict{.message = fmt::format("cdist exited with {}, but its final record is missing", exit_code)};
  }
  return std::nullopt;
}

// What cdist and the manifests, which run on this machine, get besides the step's own variables. Nothing of the user's
// own cdist: neither settings nor types.
std::map<std::string, std::string> environment(const CdistStep& step, const std::filesystem::path& files) {
  const char* path = std::getenv("PATH");
  std::map<std::string, std::string> env = tool_environment();
  env.insert({{"PATH", std::string(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path) + ":/usr/sbin:/sbin"},
              {"LANG", "C.UTF-8"},
              {"HOME", files / "home"},
              {"TMPDIR", files / "tmp"}});
  for (const auto& [name, value] : step.env) {
    env[name] = value;
  }
  return env;
}

}  // namespace

std::filesystem::path cdist_manifest(const CdistStep& step) {
  return step.manifest.empty() ? step.directory / "manifest/init" : step.manifest;
}

StepOutcome run_cdist(const CdistStep& step, const StepContext& context) {
  const auto program = find_program("cdist");
  if (!program) {
    Error error("cdist is not installed on this machine, which drives the container");
    error.set_hint("apt-get install cdist");
    throw error;
  }
  const TempDir directory("cdist-", host_temp_directory(context.target));
  const std::filesystem::path& files = directory.path();
  for (const char* name : {"home", "tmp"}) {
    std::filesystem::create_directory(files / name);
  }
  const ContainerScratch scratch(context.target);
  // cdist takes a command line apart at blanks, so these have to be programs at a path without any.
  for (const char* name : {"exec", "copy"}) {
    write_file(files / name, read_file(find_shipped(fmt::format("cdist/{}.sh", name))), 0700);
  }
  boost::json::array arguments{"config",
                               "-v",
                               "--colors",
                               "never",
                               "--conf-dir",
                               step.directory.string(),
                               "--initial-manifest",
                               cdist_manifest(step).string(),
                               "--remote-exec",
                               (files / "exec").string(),
                               "--remote-copy",
                               (files / "copy").string(),
                               "--remote-out-dir",
                               scratch / "cdist"};
  const bool checking = context.mode == ProvisionMode::check;
  if (checking) {
    arguments.emplace_back("--dry-run");
  }
  arguments.emplace_back(inventory_name(context.target));
  const boost::json::object settings{{"cdist", program->string()},
                                     {"arguments", arguments},
                                     {"dry_run", checking},
                                     {"results", (files / "results").string()}};
  write_file(files / "settings.json", boost::json::serialize(settings), 0600);

  std::vector<std::string> argv = interpreter_of(read_file(*program));
  argv.insert(argv.end(), {find_shipped("cdist/runner.py"), files / "settings.json"});
  const HostRun run =
      run_on_host(context, argv, {.env = environment(step, files), .clear_env = true, .cwd = step.directory}, files);

  const TaskLines lines = parse_task_lines(read_file_if_exists(files / "results").value_or(""), {}, step.directory);
  StepOutcome outcome{.result = tally(lines.tasks)};
  outcome.failure =
      run.timed_out ? timed_out(context.within, {}) : cdist_failure(lines, run.exit_code, context.lines.text());
  return outcome;
}

}  // namespace mayfly
