#include "mayfly/exec/command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "mayfly/exec/files.h"
#include "mayfly/provision/command_input.h"
#include "mayfly/provision/host_cgroup.h"
#include "mayfly/provision/host_run.h"
#include "mayfly/provision/scratch.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/task_lines.h"
#include "mayfly/provision/text.h"
#include "mayfly/provision/variables.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

// What a run left, wherever it was.
struct Finished {
  int exit_code = -1;
  bool timed_out = false;
  std::string results{};
  PathMap paths{};
};

std::map<std::string, std::string> environment(const CommandStep& step, ProvisionMode mode, const std::string& results,
                                               const std::string& vars) {
  std::map<std::string, std::string> env = tool_environment();
  env["MAYFLY_RESULTS"] = results;
  env["MAYFLY_VARS"] = vars;
  env["MAYFLY_MODE"] = mode == ProvisionMode::check ? "check" : "converge";
  for (const auto& [name, value] : step.env) {
    env[name] = value;
  }
  return env;
}

Finished run_inside(const CommandStep& step, const std::vector<std::string>& argv, const StepContext& context) {
  const ContainerScratch scratch(context.target);
  Finished finished;
  ExecOptions options{.env = environment(step, context.mode, scratch / "results", scratch / "vars.json")};
  if (!step.directory.empty()) {
    options.cwd = scratch / "directory";
    copy_in(context.target, step.directory, options.cwd);
    finished.paths.add(options.cwd, step.directory.string());
  }
  write_file(context.target, scratch / "vars.json", variables_as_json(step.vars), 0600);
  const ExecResult result = run_tool(context, argv, std::move(options), finished.paths);
  finished.exit_code = result.exit_code;
  finished.timed_out = result.timed_out;
  if (file_status(context.target, scratch / "results")) {
    finished.results = read_file(context.target, scratch / "results");
  }
  return finished;
}

Finished run_from_host(const CommandStep& step, const std::vector<std::string>& argv, const StepContext& context) {
  const TempDir files("command-", host_temp_directory(context.target));
  const std::filesystem::path results = files.path() / "results";
  write_file(files.path() / "vars.json", variables_as_json(step.vars), 0600);
  std::vector<std::string> absolute = argv;
  if (!step.directory.empty() && argv.front().find('/') != std::string::npos) {
    absolute.front() = step.directory / argv.front();
  }
  const HostRun run =
      run_on_host(context, absolute,
                  {.env = environment(step, context.mode, results, files.path() / "vars.json"), .cwd = step.directory},
                  files.path());
  return {.exit_code = run.exit_code, .timed_out = run.timed_out, .results = read_file_if_exists(results).value_or("")};
}

}  // namespace

StepOutcome run_command(const CommandStep& step, const StepContext& context) {
  const bool checking = context.mode == ProvisionMode::check;
  const std::vector<std::string>& argv = checking ? step.check : step.argv;
  const auto started = std::chrono::system_clock::now();
  const Finished finished =
      step.where == CommandStep::Where::host ? run_from_host(step, argv, context) : run_inside(step, argv, context);
  context.lines.finish();
  StepOutcome outcome;
  if (step.result == CommandStep::Result::json_lines) {
    outcome.result = tally(parse_task_lines(finished.results, finished.paths, step.directory).tasks);
    outcome.failure = finished.timed_out ? timed_out(context.within, {})
                                         : json_lines_failure(outcome.result.tasks, finished.exit_code,
                                                              step.changed_exit_codes, context.lines.text());
    return outcome;
  }
  TaskResult task{.name = std::filesystem::path(argv.front()).filename(),
                  .started = started,
                  .ended = std::chrono::system_clock::now()};
  const auto status = status_of_exit_code(finished.exit_code, step.changed_exit_codes);
  task.status = finished.timed_out ? TaskResult::Status::failed : status;
  if (finished.timed_out) {
    outcome.failure = timed_out(context.within, {});
  } else if (status == TaskResult::Status::failed) {
    const std::string reason = tail(trimmed(context.lines.text()), 3);
    outcome.failure = Verdict{.message = reason.empty() ? fmt::format("exit code {}", finished.exit_code)
                                                        : fmt::format("exit code {}: {}", finished.exit_code, reason)};
  }
  task.message = outcome.failure ? outcome.failure->message : "";
  outcome.result = tally({std::move(task)});
  return outcome;
}

}  // namespace mayfly
