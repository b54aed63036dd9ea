#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/provision/host_run.h"
#include "mayfly/provision/propellor_log.h"
#include "mayfly/provision/step.h"

namespace mayfly {
namespace {

// Propellor locks a file there, which would be part of the layer; what else is there is the manifest's.
constexpr const char* kLockDirectory = "/usr/local/propellor";

}  // namespace

StepOutcome run_propellor(const PropellorStep& step, const StepContext& context) {
  const std::string host = step.host.empty() ? inventory_name(context.target) : step.host;
  std::vector<std::string> argv = context.tool.native(context.tool.program());
  argv.push_back(host);
  ExecOptions options{.env = tool_environment()};
  for (const auto& [name, value] : step.env) {
    options.env[name] = value;
  }
  options.timeout = context.deadline.left();
  options.private_tree = context.tool.tree();
  PropellorLog log(host, std::chrono::system_clock::now());
  LineStream lines([&](std::string_view line) {
    context.lines.feed(false, log.read(line, std::chrono::system_clock::now()) + "\n");
  });
  options.on_output = [&](bool is_stderr, std::string_view piece) { lines.feed(is_stderr, piece); };
  const bool is_ours = !file_status(context.target, kLockDirectory);
  const ExecResult result = run(context.target, argv, options);
  lines.finish();
  if (is_ours && file_status(context.target, kLockDirectory)) {
    static_cast<void>(run(context.target, {"rm", "-f", std::string(kLockDirectory) + "/.lock"}));
    static_cast<void>(run(context.target, {"rmdir", "--ignore-fail-on-non-empty", kLockDirectory}));
  }
  StepOutcome outcome{.result = tally(log.tasks())};
  outcome.failure =
      result.timed_out ? timed_out(context.within, {}) : propellor_failure(log, result.exit_code, context.lines.text());
  return outcome;
}

}  // namespace mayfly
