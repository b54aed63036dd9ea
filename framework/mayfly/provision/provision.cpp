#include "mayfly/provision/provision.h"

#include <fmt/format.h>

#include "mayfly/provision/dependencies.h"
#include "mayfly/provision/interpreter.h"
#include "mayfly/provision/propellor_build.h"
#include "mayfly/provision/secrets.h"
#include "mayfly/provision/shell_trace.h"
#include "mayfly/provision/step.h"
#include "mayfly/support/file_io.h"

namespace mayfly {

ConvergeResult& ConvergeResult::operator+=(ConvergeResult other) {
  succeeded = succeeded && other.succeeded;
  ok += other.ok;
  changed += other.changed;
  failed += other.failed;
  skipped += other.skipped;
  duration += other.duration;
  tasks.insert(tasks.end(), std::make_move_iterator(other.tasks.begin()), std::make_move_iterator(other.tasks.end()));
  output += other.output;
  declared.insert(declared.end(), std::make_move_iterator(other.declared.begin()),
                  std::make_move_iterator(other.declared.end()));
  lines.insert(lines.end(), std::make_move_iterator(other.lines.begin()), std::make_move_iterator(other.lines.end()));
  return *this;
}

ProvisionError::ProvisionError(std::string message, ConvergeResult result, std::source_location where)
    : Error(std::move(message), where), result_(std::make_shared<const ConvergeResult>(std::move(result))) {}

namespace {

struct Describe {
  std::string operator()(const ShellStep& step) const {
    return "shell " + (step.script.empty() ? "(inline script)" : step.script.filename().string());
  }
  std::string operator()(const AnsibleStep& step) const { return "ansible " + step.playbook.filename().string(); }
  std::string operator()(const PuppetStep& step) const { return "puppet " + step.manifest.filename().string(); }
  std::string operator()(const CfengineStep& step) const { return "cfengine " + step.policy.filename().string(); }
  std::string operator()(const ItamaeStep& step) const { return "itamae " + step.recipes.front().filename().string(); }
  std::string operator()(const RexStep& step) const { return "rex " + step.task; }
  std::string operator()(const PropellorStep& step) const { return "propellor " + step.config.filename().string(); }
  std::string operator()(const CdistStep& step) const {
    return "cdist " + (step.manifest.empty() ? step.directory : step.manifest).filename().string();
  }
  std::string operator()(const CommandStep& step) const {
    return "command " + std::filesystem::path(step.argv.front()).filename().string();
  }
};

// What has to be in the container, or in a root file system of its own. Debian's package first, then the makers' own.
struct NeedOf {
  using Need = std::optional<ToolNeed>;
  Need operator()(const ShellStep&) const { return {}; }
  Need operator()(const AnsibleStep&) const { return {}; }
  Need operator()(const PropellorStep&) const { return {}; }  // compiled: see get_tool()
  Need operator()(const CdistStep&) const { return {}; }
  Need operator()(const CommandStep&) const { return {}; }
  Need operator()(const PuppetStep&) const {
    return ToolNeed{"puppet", "puppet-agent", {"/usr/bin/puppet", "/opt/puppetlabs/bin/puppet"}};
  }
  Need operator()(const CfengineStep&) const { return ToolNeed{"cfengine", "cfengine3", {"/usr/bin/cf-agent"}}; }
  Need operator()(const ItamaeStep&) const { return ToolNeed{"itamae", "itamae", {"/usr/bin/itamae"}}; }
  Need operator()(const RexStep&) const { return ToolNeed{"rex", "rex", {"/usr/bin/rex"}}; }
};

struct Run {
  const StepContext& context;
  StepOutcome operator()(const ShellStep& step) const { return run_shell(step, context); }
  StepOutcome operator()(const AnsibleStep& step) const { return run_ansible(step, context); }
  StepOutcome operator()(const PuppetStep& step) const { return run_puppet(step, context); }
  StepOutcome operator()(const CfengineStep& step) const { return run_cfengine(step, context); }
  StepOutcome operator()(const ItamaeStep& step) const { return run_itamae(step, context); }
  StepOutcome operator()(const RexStep& step) const { return run_rex(step, context); }
  StepOutcome operator()(const PropellorStep& step) const { return run_propellor(step, context); }
  StepOutcome operator()(const CdistStep& step) const { return run_cdist(step, context); }
  StepOutcome operator()(const CommandStep& step) const { return run_command(step, context); }
};

ProvisionStep with_dependencies(const ProvisionStep& step, const ProvisionOptions& options) {
  if (!has_dependencies(step)) {
    return step;
  }
  if (!options.dependencies) {
    throw Error(fmt::format("{}: its dependencies are not installed", describe(step)));
  }
  return resolve_dependencies(step, *options.dependencies);
}

// An error that has a secret in its text is replaced by a plain one without.
template <typename Use>
auto masking(const SecretMask& mask, Use&& use) {
  try {
    return std::forward<Use>(use)();
  } catch (const Error& error) {
    const std::string masked = mask(error.message());
    if (masked == error.message()) {
      throw;
    }
    throw Error(masked);
  }
}

}  // namespace

std::string describe(const ProvisionStep& step) { return std::visit(Describe{}, step.action); }

bool tells_changes(const ProvisionStep& step) {
  if (const auto* command = std::get_if<CommandStep>(&step.action)) {
    return command->result == CommandStep::Result::json_lines || !command->changed_exit_codes.empty();
  }
  return !std::holds_alternative<ShellStep>(step.action);
}

bool has_check_mode(const ProvisionStep& step) {
  if (const auto* command = std::get_if<CommandStep>(&step.action)) {
    return !command->check.empty();
  }
  return !std::holds_alternative<ShellStep>(step.action) && !std::holds_alternative<RexStep>(step.action) &&
         !std::holds_alternative<PropellorStep>(step.action);
}

namespace {

struct NoTool {
  Verdict why;
};

std::variant<Tool, NoTool> get_tool(const Target& target, const ProvisionStep& step, const ProvisionOptions& options) {
  if (const auto* propellor = std::get_if<PropellorStep>(&step.action)) {
    const CompiledPropellor compiled =
        compile_propellor(*propellor, options.dependencies.value_or(DependencyOptions()));
    if (!compiled.findings.empty()) {
      return NoTool{propellor_mistake(compiled.findings)};
    }
    return Tool(compiled.root, kPropellorProgram);
  }
  const std::optional<ToolNeed> need = std::visit(NeedOf{}, step.action);
  if (!need) {
    return Tool();
  }
  if (auto tool = find_tool(target, *need, options.tool_image)) {
    return *std::move(tool);
  }
  return NoTool{{.message = fmt::format("the container has no {}", need->name),
                 .hint = fmt::format("add \"{}\" to image.packages", need->package)}};
}

StepOutcome run_step(const Target& target, const ProvisionStep& step, const ProvisionOptions& options,
                     LineStream& lines, bool has_secrets) {
  const std::variant<Tool, NoTool> tool = get_tool(target, step, options);
  if (const auto* none = std::get_if<NoTool>(&tool)) {
    return {.failure = none->why};
  }
  const StepContext context{.target = target,
                            .mode = options.mode,
                            .without = options.without,
                            .lines = lines,
                            .within = step.within,
                            .deadline = Deadline::after(step.within),
                            .has_secrets = has_secrets,
                            .tool = std::get<Tool>(tool)};
  return std::visit(Run{context}, step.action);
}

}  // namespace

bool can_leave_out_tasks(const ProvisionStep& step) {
  if (const auto* shell = std::get_if<ShellStep>(&step.action)) {
    return is_bash(interpreter_of(shell->script.empty() ? shell->inline_script : read_file(shell->script)));
  }
  return std::holds_alternative<AnsibleStep>(step.action) || std::holds_alternative<PuppetStep>(step.action) ||
         std::holds_alternative<ItamaeStep>(step.action) || std::holds_alternative<RexStep>(step.action);
}

ConvergeResult provision(const Target& target, const ProvisionStep& step, const ProvisionOptions& options) {
  if (options.mode == ProvisionMode::check && !has_check_mode(step)) {
    throw Error(fmt::format("{}: its tool can't tell what would change: it has no check mode", describe(step)));
  }
  const ProvisionStep whole = with_dependencies(step, options);
  const auto secrets = in_context("running " + describe(step), [&] { return read_secrets(step.secrets); });
  const SecretMask mask(secrets);
  LineStream lines(options.on_output, mask);
  const auto start = Deadline::Clock::now();
  StepOutcome outcome = in_context("running " + describe(step), [&] {
    return masking(mask,
                   [&] { return run_step(target, with_secrets(whole, secrets), options, lines, !secrets.empty()); });
  });
  lines.finish();
  for (TaskResult& task : outcome.result.tasks) {
    mask.apply(task);
  }
  for (TaskResult& line : outcome.result.lines) {
    mask.apply(line);
  }
  if (outcome.failure) {
    mask.apply(*outcome.failure);
  }
  outcome.result.output = lines.text();
  outcome.result.duration = std::chrono::duration_cast<Milliseconds>(Deadline::Clock::now() - start);
  if (outcome.failure) {
    outcome.result.succeeded = false;
    ProvisionError error(fmt::format("{}: {}", describe(step), outcome.failure->message), std::move(outcome.result));
    if (!outcome.failure->hint.empty()) {
      error.set_hint(outcome.failure->hint);
    }
    throw error;
  }
  return std::move(outcome.result);
}

}  // namespace mayfly
