#include "mayfly/cli/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "mayfly/exec/readiness.h"
#include "mayfly/image/image.h"

namespace mayfly {
namespace {

using Outcome = VerifyStep::Outcome;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string describe(const ConvergeResult& result) {
  std::string text = fmt::format("{} ok, {} changed", result.ok, result.changed);
  if (result.failed > 0) text += fmt::format(", {} failed", result.failed);
  if (result.skipped > 0) text += fmt::format(", {} skipped", result.skipped);
  return text;
}

/// Thrown by a step whose work went through and found the machine wanting.
struct Failure {
  std::string detail, error;
};

/// A shell script doesn't say what it changed.
bool tells_changes(const ProvisionStep& step) { return !std::holds_alternative<ShellStep>(step.action); }

class Verification {
 public:
  Verification(Session& session, const Profile& profile, const VerifyOptions& options)
      : session_(session), profile_(profile), options_(options), report_{profile.name} {}

  VerifyReport run() {
    step("create", [this] { return create(); });
    if (profile_.provision.empty()) {
      skip("converge", "the profile has no [[provision]]");
      skip("idempotence", "the profile has no [[provision]]");
    } else {
      step("converge", [this] { return describe(container_->converge()); });
      const bool told = std::any_of(profile_.provision.begin(), profile_.provision.end(), tells_changes);
      if (told) {
        step("idempotence", [this] { return converge_again(); });
      } else {
        skip("idempotence", "a shell script doesn't tell what it changed");
      }
    }
    if (profile_.checks.empty()) {
      skip("verify", "the profile has no [[check]]");
    } else {
      // A machine that isn't idempotent can still be right.
      if (blocked_by_ == "idempotence") blocked_by_.clear();
      step("verify", [this] { return run_checks(); });
    }
    finish();
    return std::move(report_);
  }

 private:
  std::string create() {
    container_.emplace(session_.start_unprovisioned(profile_, {.artifacts_on_failure = options_.artifacts}));
    return describe(profile_.image);
  }

  std::string converge_again() const {
    const ConvergeResult result = container_->converge();
    if (result.changed == 0) return describe(result);
    std::string changed = "the second converge changed something:";
    for (const TaskResult& task : result.tasks) {
      if (task.status != TaskResult::Status::changed) continue;
      changed += fmt::format("\n  {}{}", task.name, task.where.empty() ? "" : fmt::format(" ({})", task.where));
    }
    throw Failure{describe(result), changed};
  }

  std::string run_checks() {
    for (const Check& check : profile_.checks)
      report_.checks.push_back(evaluate(container_->target(), check, profile_.env));
    const auto held = std::count_if(report_.checks.begin(), report_.checks.end(), [](const auto& c) { return c.ok(); });
    std::string detail = fmt::format("{} of {} checks hold", held, report_.checks.size());
    if (held != std::ssize(report_.checks)) throw Failure{detail, {}};
    return detail;
  }

  void finish() {
    std::string stopped;
    if (container_) {
      stopped = container_->why_stopped();
      if ((!report_.ok() || !stopped.empty()) && !options_.artifacts.empty())
        container_->save_artifacts(options_.artifacts);
      options_.before_destroy(*container_);
      blocked_by_.clear();
    }
    step("destroy", [&] {
      container_->teardown();
      // A machine that ends by itself is no good, whatever the checks have said.
      if (!stopped.empty() && !end_is_told_) {
        throw StoppedError(fmt::format("container '{}' had stopped before: {}", container_->name(), stopped));
      }
      return std::string();
    });
  }

  template <typename Work>
  void step(std::string name, Work work) {
    if (!blocked_by_.empty()) return skip(std::move(name), blocked_by_ + " failed");
    VerifyStep step{.name = std::move(name)};
    const auto start = std::chrono::steady_clock::now();
    try {
      step.detail = work();
    } catch (const Failure& failure) {
      step.outcome = Outcome::failed;
      step.detail = failure.detail;
      step.error = failure.error;
    } catch (const ProvisionError& error) {
      step.outcome = Outcome::failed;
      step.detail = describe(error.result());
      step.error = error.what();
    } catch (const NotReadyError& error) {
      step.outcome = Outcome::failed;
      step.error = error.what();
    } catch (const StoppedError& error) {
      step.outcome = Outcome::failed;
      step.error = error.what();
      end_is_told_ = error.message() != "container has stopped";
    } catch (const Error& error) {
      step.outcome = Outcome::failed;
      step.error = error.what();
      step.by_host = true;
    }
    step.duration = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start);
    if (step.outcome == Outcome::failed) blocked_by_ = step.name;
    add(std::move(step));
  }

  void skip(std::string name, std::string reason) {
    add({.name = std::move(name), .outcome = Outcome::skipped, .detail = std::move(reason)});
  }

  void add(VerifyStep step) {
    options_.on_step(step);
    report_.steps.push_back(std::move(step));
  }

  Session& session_;
  const Profile& profile_;
  const VerifyOptions& options_;
  VerifyReport report_;
  std::optional<Container> container_;
  bool end_is_told_ = false;  ///< an error has said why the machine stopped
  std::string blocked_by_;    ///< the failed step that later ones need
};

std::string word(Outcome outcome, const Console& console) {
  switch (outcome) {
    case Outcome::ok:
      return console.paint(Style::good, "ok     ");
    case Outcome::failed:
      return console.paint(Style::bad, "failed ");
    case Outcome::skipped:
      break;
  }
  return console.paint(Style::dim, "skipped");
}

std::string indented(const std::string& text, std::string_view by) {
  std::string result;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    result += fmt::format("\n{}{}", by, text.substr(start, end - start));
    start = end + 1;
  }
  return result;
}

JunitCase junit_case(const VerifyStep& step) {
  JunitCase test{.name = step.name, .message = step.detail, .duration = step.duration};
  switch (step.outcome) {
    case Outcome::ok:
      test.message.clear();
      break;
    case Outcome::skipped:
      test.outcome = JunitCase::Outcome::skipped;
      break;
    case Outcome::failed:
      test.outcome = step.by_host ? JunitCase::Outcome::error : JunitCase::Outcome::failed;
      test.details = step.error;
      if (!step.error.empty()) test.message = first_line(step.error);
      break;
  }
  return test;
}

JunitCase junit_case(const CheckResult& check) {
  JunitCase test{.name = check.title};
  if (check.ok()) return test;
  test.outcome = JunitCase::Outcome::failed;
  test.message = check.mismatches.front();
  for (const std::string& mismatch : check.mismatches) test.details += mismatch + '\n';
  return test;
}

}  // namespace

bool VerifyReport::host_failed() const {
  return std::any_of(steps.begin(), steps.end(), [](const auto& s) { return s.by_host; });
}

bool VerifyReport::ok() const {
  return std::none_of(steps.begin(), steps.end(), [](const auto& s) { return s.outcome == Outcome::failed; });
}

VerifyReport verify(Session& session, const Profile& profile, const VerifyOptions& options) {
  return Verification(session, profile, options).run();
}

std::string render(const VerifyStep& step, const Console& console) {
  const std::string duration = step.outcome == Outcome::skipped ? "" : to_string(step.duration);
  std::string line = fmt::format("{:<12} {} {:>8}  {}", step.name, word(step.outcome, console), duration, step.detail);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + indented(step.error, "  ");
}

std::string render_summary(const VerifyReport& report, const Console& console) {
  std::string text;
  if (!report.checks.empty()) {
    const auto held = std::count_if(report.checks.begin(), report.checks.end(), [](const auto& c) { return c.ok(); });
    text += fmt::format("checks: {} of {} hold\n", held, report.checks.size());
  }
  for (const CheckResult& check : report.checks) {
    text += fmt::format("  {} {}", word(check.ok() ? Outcome::ok : Outcome::failed, console), check.title);
    for (const std::string& mismatch : check.mismatches) text += indented(mismatch, "          ");
    text += '\n';
  }
  Milliseconds total{0};
  std::string failed;
  for (const VerifyStep& step : report.steps) {
    total += step.duration;
    if (step.outcome == Outcome::failed) failed += (failed.empty() ? "" : ", ") + step.name;
  }
  text += failed.empty()
              ? fmt::format("{}: {} in {}", report.profile, console.paint(Style::good, "verified"), to_string(total))
              : fmt::format("{}: {} ({})", report.profile, console.paint(Style::bad, "failed"), failed);
  return text;
}

JunitSuite junit_suite(const VerifyReport& report) {
  JunitSuite suite{.name = report.profile};
  for (const VerifyStep& step : report.steps) {
    const bool told_by_checks = step.name == "verify" && step.error.empty() && !report.checks.empty();
    if (!told_by_checks) suite.cases.push_back(junit_case(step));
    if (step.name != "verify") continue;
    for (const CheckResult& check : report.checks) suite.cases.push_back(junit_case(check));
  }
  return suite;
}

}  // namespace mayfly
