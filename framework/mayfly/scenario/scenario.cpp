#include "mayfly/scenario/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "mayfly/exec/readiness.h"
#include "mayfly/image/image.h"

namespace mayfly {
namespace {

using Outcome = StepReport::Outcome;
using Step = ScenarioStep;

std::string describe(const ConvergeResult& result) {
  std::string text = fmt::format("{} ok, {} changed", result.ok, result.changed);
  if (result.failed > 0) text += fmt::format(", {} failed", result.failed);
  if (result.skipped > 0) text += fmt::format(", {} skipped", result.skipped);
  return text;
}

/// Thrown by a step whose work went through and found the machine wanting.
struct Failure {
  std::string error;
};

class Scenario {
 public:
  Scenario(Session& session, const Profile& profile, const ScenarioOptions& options)
      : session_(session),
        profile_(profile),
        options_(options),
        report_{.name = profile.name, .file = profile.file, .started = std::chrono::system_clock::now()} {}

  ScenarioReport run() {
    for (const PlannedStep& planned : plan_steps(profile_, options_.selection)) {
      const std::string why_not = planned.runs() ? why_blocked(planned.step) : planned.why_skipped;
      if (!why_not.empty()) {
        add({.step = planned.step, .outcome = Outcome::skipped, .configured = planned.configured, .detail = why_not});
      } else {
        if (planned.step == Step::destroy) before_destroy();
        run(planned.step);
      }
    }
    return std::move(report_);
  }

 private:
  std::string why_blocked(Step step) const {
    if (step == Step::cleanup || step == Step::destroy) return container_ ? "" : "there is no machine";
    return failed_ ? fmt::format("{} failed", to_string(*failed_)) : "";
  }

  void run(Step step) {
    options_.on_start(step);
    StepReport report{.step = step};
    const auto start = std::chrono::steady_clock::now();
    const auto fail = [&](std::string_view error) {
      report.outcome = Outcome::failed;
      report.error = error;
    };
    try {
      work(report);
    } catch (const Failure& failure) {
      fail(failure.error);
    } catch (const ProvisionError& error) {
      fail(error.what());
      report.detail = describe(error.result());
      report.result = error.result();
    } catch (const NotReadyError& error) {
      fail(error.what());
    } catch (const StoppedError& error) {
      fail(error.what());
      end_is_told_ = error.message() != "container has stopped";
    } catch (const Error& error) {
      fail(error.what());
      report.by_host = true;
    }
    report.duration = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start);
    // A machine that isn't idempotent can still be right.
    const bool blocks = step != Step::idempotence && step != Step::verify && step != Step::cleanup;
    if (report.outcome == Outcome::failed && blocks && !failed_) failed_ = step;
    add(std::move(report));
  }

  void work(StepReport& report) {
    switch (report.step) {
      case Step::dependency:
      case Step::lint:
        return inspect(report);
      case Step::create:
        return create(report);
      case Step::prepare:
        return provision(profile_.prepare, report);
      case Step::converge:
        return provision(profile_.provision, report);
      case Step::idempotence:
        return check_idempotence(report);
      case Step::side_effect:
        return provision(profile_.side_effect, report);
      case Step::verify:
        return run_checks(report);
      case Step::cleanup:
        return provision(profile_.cleanup, report);
      case Step::destroy:
        return destroy();
    }
  }

  void inspect(StepReport& report) const {
    report.outcome = Outcome::skipped;
    report.configured = false;
    report.detail = "not done yet";
  }

  void create(StepReport& report) {
    container_.emplace(session_.start_unprovisioned(profile_, {.artifacts_on_failure = options_.artifacts}));
    report.detail = mayfly::describe(profile_.image);
  }

  void provision(const std::vector<ProvisionStep>& steps, StepReport& report) const {
    report.result.emplace();
    for (const ProvisionStep& step : steps) {
      *report.result += mayfly::provision(container_->target(), step, {.on_output = options_.on_output});
    }
    report.detail = describe(*report.result);
  }

  void check_idempotence(StepReport& report) const {
    if (std::none_of(profile_.provision.begin(), profile_.provision.end(), tells_changes)) {
      report.outcome = Outcome::skipped;
      report.detail = "a shell script doesn't tell what it changed";
      return;
    }
    provision(profile_.provision, report);
    if (report.result->changed == 0) return;
    std::string changed = "the second converge changed something:";
    for (const TaskResult& task : report.result->tasks) {
      if (task.status != TaskResult::Status::changed) continue;
      changed += fmt::format("\n  {}{}", task.name, task.where.empty() ? "" : fmt::format(" ({})", task.where));
    }
    throw Failure{changed};
  }

  void run_checks(StepReport& report) {
    for (const Check& check : profile_.checks) {
      report_.checks.push_back(evaluate(container_->target(), check, profile_.env));
    }
    const auto held = std::count_if(report_.checks.begin(), report_.checks.end(), [](const auto& c) { return c.ok(); });
    report.detail = fmt::format("{} of {} checks hold", held, report_.checks.size());
    if (held != std::ssize(report_.checks)) throw Failure{};
  }

  void before_destroy() {
    stopped_ = container_->why_stopped();
    const bool failed = !report_.ok() || !stopped_.empty();
    if (failed && !options_.artifacts.empty()) container_->save_artifacts(options_.artifacts);
    options_.before_destroy(*container_, failed);
  }

  void destroy() {
    container_->teardown();
    // A machine that ends by itself is no good, whatever the checks have said.
    if (!stopped_.empty() && !end_is_told_) {
      throw StoppedError(fmt::format("container '{}' had stopped before: {}", container_->name(), stopped_));
    }
  }

  void add(StepReport report) {
    options_.on_step(report);
    report_.steps.push_back(std::move(report));
  }

  Session& session_;
  const Profile& profile_;
  const ScenarioOptions& options_;
  ScenarioReport report_;
  std::optional<Container> container_;
  std::string stopped_;         ///< why the machine had ended by itself
  bool end_is_told_ = false;    ///< an error has said so
  std::optional<Step> failed_;  ///< the failed step that later ones need
};

}  // namespace

ScenarioReport run_scenario(Session& session, const Profile& profile, const ScenarioOptions& options) {
  return Scenario(session, profile, options).run();
}

}  // namespace mayfly
