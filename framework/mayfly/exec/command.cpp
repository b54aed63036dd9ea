#include "mayfly/exec/command.h"

#include <fmt/format.h>

#include <csignal>

#include "mayfly/exec/again.h"
#include "mayfly/exec/command_plan.h"
#include "mayfly/exec/coverage_files.h"
#include "mayfly/exec/crash_reports.h"
#include "mayfly/exec/exec_cgroup.h"
#include "mayfly/exec/output_pump.h"
#include "mayfly/exec/private_tree.h"
#include "mayfly/exec/sanitizer_reports.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

constexpr int kKilled = 128 + SIGKILL;

/// The command's death can be seen a little before that of its container.
bool died_with_container(const Target& target, const ExecResult& result) {
  constexpr int kDyingMs = 50;
  return result.signal == SIGKILL && !result.timed_out && target.state().dies_within(kDyingMs);
}

void run_plan(const Target& target, SpawnPlan& plan, const ExecOptions& options, ExecResult& result) {
  OutputPump pump(target, plan.account, options.stdin_text, options.on_output);
  plan.stdio = pump.command_ends();
  const UniqueFd tree = options.private_tree ? open_private_tree(target, options.private_tree->directory) : UniqueFd();
  plan.private_tree = tree.get();
  const ExecCgroup cgroup(target);
  ContainerProcess process = ContainerProcess::start(target, plan, cgroup.fd());
  if (process.exec_error() != 0) {
    ExecFailure failure = explain_exec_failure(target, plan, process.exec_error());
    result.exit_code = failure.exit_code;
    result.err = std::move(failure.line);
    return;
  }
  pump.started();
  try {
    Deadline deadline = options.timeout ? Deadline::after(*options.timeout) : Deadline::never();
    if (plan.crash && plan.crash->waits()) {
      pump.also_read(duplicate(plan.crash->waits()), [&](std::string_view) { look_at_dying(plan, process, deadline); });
    }
    if (!pump.pump_until_exit(process, deadline)) {
      if (plan.crash) plan.crash->look_late(process.pid());
      result.timed_out = true;
      result.exit_code = kKilled;
      result.signal = SIGKILL;
      cgroup.kill(process);
    } else {
      set_end(result, process.wait());
    }
    pump.drain();
  } catch (...) {
    // What the command has started would go on without anybody who knows of it.
    cgroup.kill(process);
    throw;
  }
  if (plan.coverage) plan.coverage->collect();
  result.out = pump.take_out();
  result.err = pump.take_err();
  if (const std::string report = reports_of(plan); !report.empty()) {
    result.err += report;
    if (options.on_output) options.on_output(true, report);
  }
}

std::string output_of(const ExecResult& result) { return result.err.empty() ? result.out : result.err; }

}  // namespace

ExecResult run(const Target& target, const std::vector<std::string>& argv, const ExecOptions& options) {
  const auto begin = Deadline::Clock::now();
  ExecResult result{.argv = argv};
  SpawnPlan plan = plan_command(target, argv, options);
  run_plan(target, plan, options, result);
  if (died_with_container(target, result)) {
    result.err += "mayfly: the container stopped while this command ran\n";
  }
  result.duration = std::chrono::duration_cast<Milliseconds>(Deadline::Clock::now() - begin);
  return result;
}

ExecResult check(const Target& target, const std::vector<std::string>& argv, const ExecOptions& options) {
  ExecResult result = run(target, argv, options);
  if (result.timed_out) {
    const std::string output = tail(output_of(result));
    throw TimeoutError(fmt::format("'{}' did not end within {} and was killed{}{}", shell_quote(argv),
                                   to_string(*options.timeout), output.empty() ? "" : "; its last output:\n", output));
  }
  if (result.exit_code != 0) {
    throw CommandError(argv, result.exit_code, tail(output_of(result)));
  }
  return result;
}

}  // namespace mayfly
