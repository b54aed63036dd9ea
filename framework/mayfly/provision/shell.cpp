#include <fmt/format.h>

#include <charconv>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/provision/interpreter.h"
#include "mayfly/provision/scratch.h"
#include "mayfly/provision/shell_trace.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

bool says_unchanged(std::string_view out) {
  return ("\n" + std::string(out) + "\n").find("\nmayfly: unchanged\n") != std::string::npos;
}

Verdict failure(const Target& target, const ExecResult& result, const std::string& interpreter) {
  const std::string reason = trimmed(result.err).empty() ? tail(trimmed(result.out), 3) : tail(trimmed(result.err), 3);
  if (result.exit_code == 127 && interpreter.starts_with('/') && !file_status(target, interpreter)) {
    return {
        .message = fmt::format("its interpreter '{}' is not in the container", interpreter),
        .hint = interpreter.ends_with('\r') ? "the script has Windows line ends" : "add its package to image.packages"};
  }
  return {.message = reason.empty() ? fmt::format("exit code {}", result.exit_code)
                                    : fmt::format("exit code {}: {}", result.exit_code, reason)};
}

/// Of "setup.sh:12", when that is this script; else 0.
int line_without(std::string_view without, const std::string& name) {
  int line = 0;
  if (without.starts_with(name + ":")) {
    without.remove_prefix(name.size() + 1);
    std::from_chars(without.data(), without.data() + without.size(), line);
  }
  return line;
}

/// What a script that loops for long leaves is more than anybody reads.
constexpr std::size_t kLongestTrace = std::size_t{16} << 20;

/// A container that the script has stopped is told by what else becomes of the step.
template <typename Parse>
std::vector<TaskResult> lines_in(const Target& target, const std::string& trace, Parse parse) {
  try {
    const auto status = file_status(target, trace);
    return status && status->size <= kLongestTrace ? parse(read_file(target, trace)) : std::vector<TaskResult>();
  } catch (const StoppedError&) {
    return {};
  }
}

}  // namespace

StepOutcome run_shell(const ShellStep& step, const StepContext& context) {
  const bool is_inline = step.script.empty();
  const std::string name = is_inline ? "inline script" : step.script.filename().string();
  const std::string content = is_inline ? step.inline_script : read_file(step.script);

  const ContainerScratch scratch(context.target);
  const std::string script = scratch / (is_inline ? "script" : name);
  write_file(context.target, script, content, 0700);
  std::vector<std::string> argv = interpreter_of(content);
  const std::string interpreter = argv.front();
  argv.push_back(script);
  argv.insert(argv.end(), step.args.begin(), step.args.end());

  ExecOptions options{
      .env = tool_environment(),
      .timeout = context.deadline.left(),
      .on_output = [&](bool is_stderr, std::string_view piece) { context.lines.feed(is_stderr, piece); }};
  for (const auto& [key, value] : step.env) {
    options.env[key] = value;
  }
  const bool traced = is_bash(interpreter_of(content)) && !options.env.contains("BASH_ENV");
  const std::string trace = scratch / "trace";
  if (traced) {
    const int without = line_without(context.without, name);
    write_file(context.target, scratch / "before",
               without > 0 ? shell_without_setup(without) : shell_trace_setup(trace), 0600);
    options.env["BASH_ENV"] = scratch / "before";
  }
  TaskResult task{.name = name, .started = std::chrono::system_clock::now()};
  const ExecResult result = run(context.target, argv, options);
  task.ended = std::chrono::system_clock::now();
  std::vector<TaskResult> lines;
  if (traced) {
    lines = lines_in(context.target, trace, [&](const std::string& text) {
      return parse_shell_trace(text, script, content, name, task.ended);
    });
  }
  StepOutcome outcome;
  if (result.timed_out) {
    outcome.failure = timed_out(context.within, {});
  } else if (!result.ok()) {
    outcome.failure = failure(context.target, result, interpreter);
  }
  if (outcome.failure) {
    task.status = TaskResult::Status::failed;
    task.message = outcome.failure->message;
  } else {
    task.status = says_unchanged(result.out) ? TaskResult::Status::ok : TaskResult::Status::changed;
  }
  outcome.result = tally({std::move(task)});
  if (!lines.empty()) {
    for (const ShellCommand& command : shell_commands(content)) {
      outcome.result.declared.push_back({.name = command.text, .where = fmt::format("{}:{}", name, command.first)});
    }
    outcome.result.lines = std::move(lines);
  }
  return outcome;
}

}  // namespace mayfly
