#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/provision/cfengine_log.h"
#include "mayfly/provision/scratch.h"
#include "mayfly/provision/step.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr const char* kStandardLibrary = "/usr/share/cfengine3/masterfiles/lib";

// The work directory is ours, so that locks and measurements of the agent don't appear in the image. The agent looks
// there for cf-promises (bin/) and for the standard library (inputs/lib, which is `$(sys.libdir)`), so the policies are
// there too.
void make_work_directory(const StepContext& context, const std::string& work) {
  check(context.target, {"mkdir", "-m", "0700", work + "/bin"});
  write_file(context.target, work + "/bin/cf-promises",
             fmt::format("#!/bin/sh\nexec {} \"$@\"\n", shell_quote(context.tool.native("/usr/bin/cf-promises"))),
             0700);
  if (!file_status(context.target, work + "/inputs/lib")) {
    check(context.target, {"ln", "-s", context.tool.at(kStandardLibrary), work + "/inputs/lib"});
  }
  // A policy that others may write to is refused.
  check(context.target, {"chmod", "-R", "go-w", work + "/inputs"});
}

}  // namespace

StepOutcome run_cfengine(const CfengineStep& step, const StepContext& context) {
  const std::filesystem::path directory = step.policy.parent_path();
  const ContainerScratch scratch(context.target);
  const std::string policies = scratch / "inputs";
  copy_in(context.target, directory, policies);
  PathMap paths;
  paths.add(policies + "/", directory.string() + "/");
  make_work_directory(context, scratch.path());
  if (!step.vars.empty()) {
    const std::string own = read_file_if_exists(directory / "def.json").value_or("");
    write_file(context.target, policies + "/def.json", cfengine_augments(own, step.vars), 0600);
    check(context.target, {"chmod", "0600", policies + "/def.json"});
  }

  const std::string policy = policies + "/" + step.policy.filename().string();
  ExecOptions options{.env = tool_environment()};
  options.env["CFENGINE_TEST_OVERRIDE_WORKDIR"] = scratch.path();
  // Of a policy with a mistake the agent makes its failsafe policy, runs that and exits with 0.
  std::vector<std::string> promises = context.tool.native("/usr/bin/cf-promises");
  promises.insert(promises.end(), {"-f", policy});
  StepOutcome outcome;
  LineStream complaints([&](std::string_view line) {
    if (!is_network_noise(line)) {
      context.lines.feed(false, paths.to_host(line) + "\n");
    }
  });
  options.timeout = context.deadline.left();
  options.private_tree = context.tool.tree();
  options.on_output = [&](bool is_stderr, std::string_view piece) { complaints.feed(is_stderr, piece); };
  const ExecResult checked = run(context.target, promises, options);
  complaints.finish();
  if (checked.timed_out) {
    outcome.failure = timed_out(context.within, "the check of the policy");
    return outcome;
  }
  if (!checked.ok()) {
    outcome.failure = cfengine_policy_error(checked.exit_code, context.lines.text(), directory);
    return outcome;
  }

  std::vector<std::string> agent = context.tool.native("/usr/bin/cf-agent");
  agent.insert(agent.end(), {"--no-lock", "--verbose", "--color=never", "--file", policy});
  if (!step.classes.empty()) {
    agent.push_back(fmt::format("--define={}", fmt::join(step.classes, ",")));
  }
  if (context.mode == ProvisionMode::check) {
    agent.emplace_back("--dry-run");
  }
  CfengineLog log(step.policy, context.mode, paths);
  CfengineLog::Time arrived{};
  LineStream verbose([&](std::string_view line) {
    if (const auto told = log.read(line, arrived)) {
      context.lines.feed(false, *told + "\n");
    }
  });
  options.timeout = context.deadline.left();
  options.on_output = [&](bool is_stderr, std::string_view piece) {
    arrived = std::chrono::system_clock::now();
    verbose.feed(is_stderr, piece);
  };
  const ExecResult result = run(context.target, agent, options);
  verbose.finish();
  outcome.result = tally(log.tasks());
  outcome.failure = result.timed_out ? timed_out(context.within, log.running())
                                     : cfengine_failure(log, result.exit_code, context.lines.text());
  return outcome;
}

}  // namespace mayfly
