#include "mayfly/scenario/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "mayfly/exec/readiness.h"
#include "mayfly/image/image.h"
#include "mayfly/judge/comparison.h"
#include "mayfly/judge/idempotence.h"
#include "mayfly/judge/prediction.h"
#include "mayfly/provision/dependencies.h"
#include "mayfly/provision/secrets.h"
#include "mayfly/scenario/details.h"
#include "mayfly/scenario/inspect.h"
#include "mayfly/scenario/kept.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/utf8.h"

namespace mayfly {
namespace {

using Outcome = StepReport::Outcome;
using Step = ScenarioStep;
using Clock = std::chrono::steady_clock;

/// Thrown by a step whose work went through and found the machine wanting.
struct Failure {
  std::string error;
};

/// A container that has stopped for a reason which isn't known yet.
bool lacks_a_reason(const StoppedError& error) { return error.message() == "container has stopped"; }

bool judges(Step step) { return step == Step::idempotence || is_optional(step); }

/// "2 tasks predicted; check mode told no lie". A task may have told several, and some are no task's.
std::string told_by(const PredictionReport& verdict) {
  const auto counted = [](std::size_t count, std::string_view what) {
    return fmt::format("{} {}{}", count == 0 ? "no" : fmt::format("{}", count), what, count > 1 ? "s" : "");
  };
  const std::size_t tasks = verdict.predicted.tasks.size();
  return fmt::format("{} task{} predicted; check mode told {}", tasks, tasks == 1 ? "" : "s",
                     counted(verdict.lies.size(), "lie"));
}

/// Writes the failure that is being handled into the report.
/// @return whether it told why the machine had stopped
bool take_failure(StepReport& report) {
  report.outcome = Outcome::failed;
  try {
    throw;
  } catch (const Failure& failure) {
    report.error = failure.error;
  } catch (const ProvisionError& error) {
    report.error = error.what();
    report.detail = describe(error.result());
    report.result = error.result();
  } catch (const NotReadyError& error) {
    report.error = error.what();
  } catch (const StoppedError& error) {
    report.error = error.what();
    return !lacks_a_reason(error);
  } catch (const Error& error) {
    report.error = error.what();
    report.by_host = true;
  }
  return false;
}

class Scenario {
 public:
  Scenario(Session& session, const Profile& profile, const ScenarioOptions& options)
      : session_(session),
        profile_(profile),
        options_(options),
        plan_(plan_steps(profile, options.selection)),
        report_{.name = profile.name, .file = profile.file, .started = std::chrono::system_clock::now()} {
    if (!planned(Step::prepare)) profile_.prepare.clear();
    if (!planned(Step::converge)) profile_.provision.clear();
    resolved_ = profile;
  }

  ScenarioReport run() {
    for (const PlannedStep& planned : plan_) {
      if (report_.find(planned.step) != nullptr) continue;  // came along with an earlier one
      const std::string why_not = planned.runs() ? why_blocked(planned.step) : planned.why_skipped;
      if (!why_not.empty()) {
        skip(planned, why_not);
      } else if (planned.step == Step::create && has_layer()) {
        make_layer();
      } else {
        run(planned.step);
      }
    }
    return std::move(report_);
  }

 private:
  [[nodiscard]] bool planned(Step step) const { return plan_.at(static_cast<std::size_t>(step)).runs(); }
  [[nodiscard]] bool has_layer() const { return !profile_.prepare.empty() || !profile_.provision.empty(); }

  [[nodiscard]] std::string why_blocked(Step step) const {
    const bool never_made = failed_ && *failed_ < Step::create;
    if (step == Step::destroy) return never_made ? "there is no machine" : "";
    if (step == Step::cleanup) return failed_ && !container_ ? "there is no machine" : "";
    return failed_ ? fmt::format("{} failed", to_string(*failed_)) : "";
  }

  void begin(Step step) {
    options_.on_start(step);
    current_ = {.step = step};
    since_ = Clock::now();
  }

  void end() {
    current_.duration = std::chrono::duration_cast<Milliseconds>(Clock::now() - since_);
    // A machine that isn't idempotent can still be right.
    const Step step = current_.step;
    const bool blocks = !judges(step) && step != Step::verify && step != Step::cleanup;
    if (current_.outcome == Outcome::failed && blocks && !failed_) failed_ = step;
    if (current_.outcome == Outcome::failed && judges(step)) save_verdict();
    add(std::exchange(current_, {}));
  }

  [[nodiscard]] std::filesystem::path artifacts_of(Step step) const {
    if (options_.artifacts.empty() || !judges(step)) return options_.artifacts;
    return options_.artifacts / to_string(step);
  }

  /// Beside the logs of the machine that was judged.
  void save_verdict() const {
    const std::filesystem::path directory = artifacts_of(current_.step);
    if (directory.empty()) return;
    try {
      std::filesystem::create_directories(directory);
      write_file(directory / "report.txt", fmt::format("{}\n{}\n", current_.detail, current_.error));
      if (current_.changes && !current_.changes->empty()) {
        write_file(directory / "changes.txt", render(*current_.changes, current_.changes->changes.size()));
      }
    } catch (const std::exception& error) {
      log(LogLevel::warning, fmt::format("save artifacts in '{}' (best effort): {}", directory.string(), error.what()));
    }
  }

  void run(Step step) {
    begin(step);
    try {
      work(current_);
    } catch (...) {
      end_is_told_ = take_failure(current_) || end_is_told_;
    }
    end();
  }

  /// create, prepare and converge, as the session does them in one go; or finds that they have been done.
  void make_layer() {
    begin(Step::create);
    try {
      const auto on_phase = [this](std::string_view phase) {
        const auto step = parse_scenario_step(phase);
        if (!step || *step == current_.step || !planned(*step)) return;
        if (current_.step == Step::create) current_.detail = describe(profile_.image);
        end();
        begin(*step);
      };
      const ConvergedMachine machine = session_.converged(profile_, start_options(on_phase));
      if (current_.step == Step::create) {
        current_.detail = describe(profile_.image);
        end();
        for (const Step step : {Step::prepare, Step::converge}) {
          if (planned(step)) current_ = {.step = step, .outcome = Outcome::cached};
          if (planned(Step::converge) && step == Step::converge) tell(machine.first);
          if (planned(step)) add(std::exchange(current_, {}));
        }
        return;
      }
      if (current_.step == Step::converge) tell(machine.first);
    } catch (...) {
      end_is_told_ = take_failure(current_) || end_is_told_;
    }
    end();
  }

  void tell(const Convergence& convergence) {
    current_.result = convergence.reported;
    current_.changes = convergence.changes;
    current_.detail = convergence.tools_tell
                          ? fmt::format("{}; {}", describe(convergence.reported), describe(convergence.changes))
                          : describe(convergence.changes);
    tell_ignored(convergence.changes);
  }

  /// Of steps that judge: what the profile's own rules have left out.
  void tell_ignored(const StateDiff& diff) {
    if (!judges(current_.step)) return;
    const auto& rules = profile_.idempotence.ignore;
    for (const auto& [change, reason] : diff.ignored) {
      const auto is_its = [&, &why = reason](const IgnoreSetting& rule) { return rule.reason == why; };
      if (std::none_of(rules.begin(), rules.end(), is_its)) continue;
      current_.notes.push_back(
          printable(fmt::format("ignored {} {}: {}", to_string(change.resource), change.name, reason)));
    }
    if (!current_.notes.empty()) current_.detail += fmt::format(" ({} ignored)", current_.notes.size());
  }

  void work(StepReport& report) {
    switch (report.step) {
      case Step::dependency:
        return resolve();
      case Step::lint:
        return read_manifests(report);
      case Step::create:
        machine();
        report.detail = describe(profile_.image);
        return;
      case Step::prepare:
      case Step::converge:
        return;  // make_layer() has done them
      case Step::idempotence:
        return check_twice();
      case Step::check:
        return check_what_is_predicted();
      case Step::reproducible:
        return judge(check_reproducible(session_, profile_, start_options()));
      case Step::upgrade:
        return upgrade();
      case Step::side_effect:
        return tell(machine().converge({.steps = profile_.side_effect}));
      case Step::verify:
        return run_checks(report);
      case Step::cleanup:
        return tell(machine().converge({.steps = profile_.cleanup}));
      case Step::destroy:
        return destroy();
    }
  }

  [[nodiscard]] StartOptions start_options(std::function<void(std::string_view)> on_phase = {}) {
    StartOptions options{
        .artifacts_on_failure = artifacts_of(current_.step), .fresh = options_.fresh, .on_phase = std::move(on_phase)};
    if (options_.before_destroy) options.on_failure = [this](const Container& container) { show_failed(container); };
    return options;
  }

  /// While the failure is being handled: it is told before somebody looks into the machine.
  void show_failed(const Container& container) {
    const auto from = Clock::now();
    ScenarioReport so_far = report_;
    StepReport step = current_;
    step.duration = std::chrono::duration_cast<Milliseconds>(from - since_);
    static_cast<void>(take_failure(step));
    so_far.steps.push_back(std::move(step));
    options_.before_destroy(container, so_far, true);
    since_ += Clock::now() - from;
  }

  /// The clean clone that is checked.
  Container& machine() {
    if (!container_) container_.emplace(session_.start(profile_, start_options()));
    return *container_;
  }

  void read_manifests(StepReport& report) {
    const std::optional<std::string> key = lint_key(resolved_);
    const auto kept = session_.dependency_options(profile_).paths.verdicts() / (key.value_or("") + ".json");
    if (key && !options_.fresh && take_kept(kept)) return;
    inspect_manifests(resolved_, report);
    if (key) keep(kept, report);
  }

  void check_twice() {
    const auto layer = session_.converged(profile_, start_options()).layer;
    const auto kept = layer / ("idempotence-" + idempotence_key(profile_) + ".json");
    if (take_kept(kept)) return;
    const IdempotenceReport verdict = check_idempotence(session_, profile_, start_options());
    tell(*verdict.judged().back());
    if (verdict.boot == IdempotenceBoot::same) current_.detail += ", in the same boot";
    if (verdict.boot == IdempotenceBoot::both) current_.detail += ", in the same boot and after another";
    if (!verdict.idempotent()) throw Failure{explain(verdict)};
    keep(kept, current_);
  }

  bool take_kept(const std::filesystem::path& file) {
    if (auto kept = find_kept(file, current_.step)) {
      current_ = *std::move(kept);
      return true;
    }
    return false;
  }

  /// Installs into the store what converge will take from there.
  void resolve() {
    std::size_t count = 0;
    for (auto* steps : {&resolved_.prepare, &resolved_.provision, &resolved_.side_effect, &resolved_.cleanup}) {
      for (ProvisionStep& step : *steps) {
        if (!has_dependencies(step)) continue;
        step = resolve_dependencies(step, session_.dependency_options(profile_));
        ++count;
      }
    }
    current_.detail = fmt::format("of {} step{}", count, count == 1 ? "" : "s");
  }

  void check_what_is_predicted() {
    for (const ProvisionStep& step : profile_.provision) {
      if (has_check_mode(step)) continue;
      current_.outcome = Outcome::skipped;
      current_.detail = fmt::format("{} has no check mode", describe(step));
      return;
    }
    const PredictionReport verdict = check_prediction(session_, profile_, false, start_options());
    tell(verdict.actual);
    current_.detail = told_by(verdict);
    if (!verdict.truthful()) throw Failure{explain(verdict)};
  }

  void judge(const ComparisonReport& verdict) {
    current_.changes = verdict.differences;
    current_.detail = verdict.equal() ? "both machines are the same" : describe(verdict.differences);
    tell_ignored(verdict.differences);
    if (!verdict.equal()) throw Failure{explain(verdict)};
  }

  void upgrade() {
    Profile from = load_profile(profile_.scenario.upgrade_from);
    // The machine's name stays, and what the cell of a matrix has set holds for both.
    from.hostname = profile_.hostname;
    auto* old_image = std::get_if<DebianImage>(&from.image);
    const auto* image = std::get_if<DebianImage>(&profile_.image);
    if (old_image != nullptr && image != nullptr) old_image->suite = image->suite;
    from.privileged = profile_.privileged;
    from.network = profile_.network;
    const UpgradeReport verdict = check_upgrade(session_, from, profile_, start_options());
    current_.changes = verdict.upgraded.differences;
    if (verdict.equal()) {
      current_.detail = fmt::format("from {} and back", from.name);
      return;
    }
    current_.detail = fmt::format("{} going up, {} going back", describe(verdict.upgraded.differences),
                                  describe(verdict.downgraded.differences));
    throw Failure{explain(verdict.upgraded) + explain(verdict.downgraded)};
  }

  void run_checks(StepReport& report) {
    const SecretMask mask = mask_of(provision_steps(resolved_, plan_));
    report_.checks = evaluate_all(machine().target(), profile_.checks, {.env = profile_.env, .shown = mask});
    options_.on_checks(report_.checks);
    const auto held = std::count_if(report_.checks.begin(), report_.checks.end(), [](const auto& c) { return c.ok(); });
    report.detail = fmt::format("{} of {} checks hold", held, report_.checks.size());
    if (held != std::ssize(report_.checks)) throw Failure{};
  }

  void destroy() {
    if (options_.before_destroy && !failed_) machine();
    if (!container_) return;  // whoever has converged it in vain has removed it
    const std::string stopped = container_->why_stopped();
    const bool failed = !report_.ok() || !stopped.empty();
    if (failed && !options_.artifacts.empty()) container_->save_artifacts(options_.artifacts);
    if (options_.before_destroy) options_.before_destroy(*container_, report_, failed);
    since_ = Clock::now();
    container_->teardown();
    // A machine that ends by itself is no good, whatever the checks have said.
    if (!stopped.empty() && !end_is_told_) {
      throw StoppedError(fmt::format("container '{}' had stopped before: {}", container_->name(), stopped));
    }
  }

  void skip(const PlannedStep& planned, std::string why) {
    add({.step = planned.step,
         .outcome = Outcome::skipped,
         .configured = planned.configured,
         .detail = std::move(why)});
  }

  void add(StepReport report) {
    options_.on_step(report);
    report_.steps.push_back(std::move(report));
  }

  Session& session_;
  Profile profile_;     ///< without the steps that aren't to be run
  Profile resolved_{};  ///< the given one, with what its manifests need; to be read, as the session resolves by itself
  const ScenarioOptions& options_;
  std::vector<PlannedStep> plan_;
  ScenarioReport report_;
  StepReport current_{};
  Clock::time_point since_{};
  std::optional<Container> container_;
  bool end_is_told_ = false;    ///< an error has said why the machine had ended by itself
  std::optional<Step> failed_;  ///< the failed step that later ones need
};

}  // namespace

ScenarioReport run_scenario(Session& session, const Profile& profile, const ScenarioOptions& options) {
  return Scenario(session, profile, options).run();
}

}  // namespace mayfly
