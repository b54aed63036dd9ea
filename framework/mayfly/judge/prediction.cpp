#include "mayfly/judge/prediction.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "mayfly/judge/machines.h"

namespace mayfly {
namespace {

using Lie = PredictionReport::Lie;
using Status = TaskResult::Status;

/// The n-th run of a task of that name and place: a loop or a role included twice repeats both.
class Occurrences {
 public:
  explicit Occurrences(const std::vector<TaskResult>& tasks) {
    for (const TaskResult& task : tasks) {
      tasks_[title_of(task)].push_back(&task);
    }
  }
  const TaskResult* next(const TaskResult& task) {
    const std::string title = title_of(task);
    std::vector<const TaskResult*>& same = tasks_[title];
    return used_[title] < same.size() ? same[used_[title]++] : nullptr;
  }

 private:
  std::map<std::string, std::vector<const TaskResult*>> tasks_;
  std::map<std::string, std::size_t> used_;
};

std::vector<StateChange> changes_by(const StateDiff& diff, const TaskResult& task) {
  std::vector<StateChange> changes;
  std::copy_if(diff.changes.begin(), diff.changes.end(), std::back_inserter(changes),
               [title = title_of(task)](const StateChange& change) { return change.task == title; });
  return changes;
}

}  // namespace

PredictionReport compare_prediction(ConvergeResult predicted, StateDiff in_check_mode, Convergence actual) {
  PredictionReport report{.predicted = std::move(predicted), .actual = std::move(actual)};
  if (!in_check_mode.empty()) {
    report.lies.push_back({.kind = Lie::Kind::acted, .changes = std::move(in_check_mode.changes)});
  }
  Occurrences predictions(report.predicted.tasks);
  for (const TaskResult& task : report.actual.reported.tasks) {
    const TaskResult* prediction = predictions.next(task);
    std::vector<StateChange> changes = changes_by(report.actual.changes, task);
    const bool changed = task.status == Status::changed || !changes.empty();
    const bool passed_over =
        prediction != nullptr && prediction->status == Status::skipped && task.status != Status::skipped;
    if (prediction == nullptr || prediction->status == Status::failed || passed_over) {
      report.unpredicted.push_back(title_of(task));
    } else if (changed && prediction->status != Status::changed) {
      report.lies.push_back({.kind = Lie::Kind::hidden, .task = title_of(task), .changes = std::move(changes)});
    } else if (!changed && prediction->status == Status::changed) {
      report.lies.push_back({.kind = Lie::Kind::imagined, .task = title_of(task)});
    }
  }
  return report;
}

PredictionReport check_prediction(Session& session, const Profile& profile, bool on_converged,
                                  const StartOptions& options) {
  for (const ProvisionStep& step : profile.provision) {
    if (!has_check_mode(step)) {
      throw Error(fmt::format("{} has no check mode: nothing to compare", describe(step)));
    }
  }
  const Container machine = on_converged ? session.start(profile, options) : start_prepared(session, profile, options);
  Convergence in_check_mode;
  const MachineState before = machine.capture_state();
  try {
    in_check_mode = machine.converge({.mode = ProvisionMode::check});
  } catch (const ProvisionError& error) {
    // A clean machine lacks what earlier tasks would have installed. What has been predicted up to there counts.
    // So does what check mode did to the machine before it failed.
    in_check_mode.reported = error.result();
    in_check_mode.changes = ignoring(difference(before, machine.capture_state()), ignore_rules(profile));
    attribute(in_check_mode.changes, in_check_mode.reported.tasks);
    mask_secrets(in_check_mode.changes, profile.prepare);
    mask_secrets(in_check_mode.changes, profile.provision);
  }
  return compare_prediction(std::move(in_check_mode.reported), std::move(in_check_mode.changes), machine.converge());
}

std::string explain(const PredictionReport& report) {
  if (report.truthful()) {
    return fmt::format("check mode told no lie ({} tasks{})\n", report.actual.reported.tasks.size(),
                       report.unpredicted.empty()
                           ? std::string()
                           : fmt::format("; {} could not be predicted", report.unpredicted.size()));
  }
  std::string text;
  for (const Lie& lie : report.lies) {
    switch (lie.kind) {
      case Lie::Kind::hidden:
        text += fmt::format("check mode hid a change: {}\n", lie.task);
        break;
      case Lie::Kind::imagined:
        text += fmt::format("check mode predicted a change that did not come: {}\n", lie.task);
        break;
      case Lie::Kind::acted:
        text += "check mode itself changed the machine:\n";
        break;
    }
    text += render({.changes = lie.changes});
  }
  return text;
}

}  // namespace mayfly
