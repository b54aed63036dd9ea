#include "mayfly/judge/idempotence.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "mayfly/judge/machines.h"
#include "mayfly/state/noise.h"

namespace mayfly {
namespace {

constexpr const char* kNotKept = "not kept across boots";

std::string indented(const std::string& text) {
  std::string result;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    result += fmt::format("  {}\n", std::string_view(text).substr(start, end - start));
    start = end + 1;
  }
  return result;
}

std::string changed_tasks(const ConvergeResult& result) {
  std::string text;
  for (const TaskResult& task : result.tasks) {
    if (task.status == TaskResult::Status::changed) {
      text += fmt::format("  changed: {}\n", title_of(task));
    }
  }
  return text;
}

bool disagrees(const Convergence& convergence) {
  return convergence.tools_tell && convergence.reports_changes() == convergence.changes.empty();
}

/// @param which "second", "third"
std::string explain(const Convergence& convergence, std::string_view which) {
  if (convergence.changed_nothing()) {
    return {};
  }
  std::string text;
  const bool unchanged = convergence.changes.empty();
  if (!unchanged) {
    const bool denied = convergence.tools_tell && !convergence.reports_changes();
    text +=
        fmt::format("the {} converge changed the machine{}:\n", which, denied ? ", though it reports no change" : "");
    text += indented(render(convergence.changes));
  }
  if (convergence.tools_tell && convergence.reports_changes()) {
    text += unchanged
                ? fmt::format("the {} converge reports changes, though nothing in the machine is different:\n", which)
                : "it reports:\n";
    text += changed_tasks(convergence.reported);
  }
  const std::vector<StateChange> in_run = changes_in_run(convergence);
  if (unchanged && !in_run.empty()) {
    text += fmt::format("different in /run, which isn't kept across boots:\n{}", indented(render({.changes = in_run})));
  }
  return text;
}

/// Also from what isn't judged, and told only because a tool reports a change.
void take_away(const StateDiff& noise, StateDiff& diff) {
  diff = without_noise(std::move(diff), noise);
  std::erase_if(diff.ignored, [&](const IgnoredChange& ignored) {
    return ignored.reason == kNotKept &&
           std::any_of(noise.changes.begin(), noise.changes.end(), [&](const auto& other) {
             return other.resource == ignored.change.resource && other.name == ignored.change.name;
           });
  });
}

/// A machine in which nothing is converged, ready.
struct Control {
  Container container;
  MachineState at_rest;
};

Control start_control(Session& session, const Profile& profile, const StartOptions& options) {
  Container container = session.start(profile, options);
  MachineState at_rest = container.capture_state();
  return {std::move(container), std::move(at_rest)};
}

}  // namespace

std::vector<const Convergence*> IdempotenceReport::judged() const {
  std::vector<const Convergence*> all;
  if (boot != IdempotenceBoot::same) {
    all.push_back(&second);
  }
  if (third) {
    all.push_back(&*third);
  }
  return all;
}

bool IdempotenceReport::tool_says_unchanged() const {
  const auto all = judged();
  return std::none_of(all.begin(), all.end(), [](const Convergence* c) { return c->reports_changes(); });
}

bool IdempotenceReport::state_unchanged() const {
  const auto all = judged();
  return std::all_of(all.begin(), all.end(), [](const Convergence* c) { return c->changes.empty(); });
}

bool IdempotenceReport::idempotent() const {
  const auto all = judged();
  return std::all_of(all.begin(), all.end(), [](const Convergence* c) { return c->changed_nothing(); });
}

bool IdempotenceReport::disagree() const {
  const auto all = judged();
  return std::any_of(all.begin(), all.end(), [](const Convergence* c) { return disagrees(*c); });
}

IdempotenceReport check_idempotence(Session& session, const Profile& profile, const StartOptions& options) {
  // Two boots cost little more than one when they go side by side. Who looks into a failed machine looks into one.
  auto starting = std::async(std::launch::async, [&] {
    return start_control(session, profile, {.fresh = options.fresh, .on_phase = options.on_phase});
  });
  const Container machine = session.start(profile, options);
  const MachineState before = machine.capture_state();
  // The control's time is at least as long as the converges'.
  const Control control = starting.get();
  IdempotenceReport report{.boot = profile.idempotence.boot, .second = converge_or_save(machine, options)};
  if (report.boot != IdempotenceBoot::fresh) {
    report.third = converge_or_save(machine, options);
  }
  const StateDiff by_itself = noise({control.at_rest, control.container.capture_state()}, before);
  take_away(by_itself, report.second.changes);
  if (report.third) {
    take_away(by_itself, report.third->changes);
  }
  if (!report.idempotent()) {
    save_artifacts(machine, options);
  }
  return report;
}

std::vector<StateChange> changes_in_run(const Convergence& convergence) {
  std::vector<StateChange> changes;
  for (const IgnoredChange& ignored : convergence.changes.ignored) {
    const std::string& path = ignored.change.name;
    if (ignored.reason == kNotKept && path.starts_with("/run/")) {
      changes.push_back(ignored.change);
    }
  }
  return changes;
}

std::string explain(const IdempotenceReport& report) {
  std::string text;
  if (report.boot != IdempotenceBoot::same) {
    text += explain(report.second, "second");
  }
  if (report.third) {
    text += explain(*report.third, "third");
  }
  return text;
}

}  // namespace mayfly
