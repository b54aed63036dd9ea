#include "mayfly/provision/provision.h"

#include <fmt/format.h>

#include "mayfly/provision/dependencies.h"
#include "mayfly/provision/secrets.h"
#include "mayfly/provision/step.h"

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
};

struct Run {
  const StepContext& context;
  StepOutcome operator()(const ShellStep& step) const { return run_shell(step, context); }
  StepOutcome operator()(const AnsibleStep& step) const { return run_ansible(step, context); }
  StepOutcome operator()(const PuppetStep& step) const { return run_puppet(step, context); }
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

bool tells_changes(const ProvisionStep& step) { return !std::holds_alternative<ShellStep>(step.action); }

bool has_check_mode(const ProvisionStep& step) { return !std::holds_alternative<ShellStep>(step.action); }

bool can_leave_out_tasks(const ProvisionStep& step) {
  return std::holds_alternative<AnsibleStep>(step.action) || std::holds_alternative<PuppetStep>(step.action);
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
  const StepContext context{.target = target,
                            .mode = options.mode,
                            .without = options.without,
                            .lines = lines,
                            .within = step.within,
                            .deadline = Deadline::after(step.within),
                            .has_secrets = !secrets.empty()};
  StepOutcome outcome = in_context("running " + describe(step), [&] {
    return masking(mask, [&] { return std::visit(Run{context}, with_secrets(whole, secrets).action); });
  });
  lines.finish();
  for (TaskResult& task : outcome.result.tasks) {
    mask.apply(task);
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
