#include <boost/json.hpp>

#include "mayfly/report/plain_text.h"
#include "mayfly/scenario/report.h"

namespace mayfly {
namespace {

namespace json = boost::json;

double seconds(std::chrono::system_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string_view word(StepReport::Outcome outcome) {
  switch (outcome) {
    case StepReport::Outcome::ok:
      return "ok";
    case StepReport::Outcome::failed:
      return "failed";
    case StepReport::Outcome::skipped:
      return "skipped";
    case StepReport::Outcome::cached:
      break;
  }
  return "cached";
}

std::string_view word(TaskResult::Status status) {
  switch (status) {
    case TaskResult::Status::ok:
      return "ok";
    case TaskResult::Status::changed:
      return "changed";
    case TaskResult::Status::failed:
      return "failed";
    case TaskResult::Status::skipped:
      break;
  }
  return "skipped";
}

std::string_view word(StateChange::Kind kind) {
  switch (kind) {
    case StateChange::Kind::added:
      return "added";
    case StateChange::Kind::modified:
      return "modified";
    case StateChange::Kind::removed:
      break;
  }
  return "removed";
}

json::object object_of(const TaskResult& task) {
  json::object object{{"name", plain_text(task.name)}, {"status", word(task.status)}};
  if (!task.where.empty()) object["where"] = plain_text(task.where);
  if (!task.message.empty()) object["message"] = plain_text(task.message);
  if (task.ended > task.started) object["seconds"] = seconds(task.ended - task.started);
  return object;
}

json::object object_of(const StateChange& change) {
  json::object object{
      {"kind", word(change.kind)}, {"resource", to_string(change.resource)}, {"name", plain_text(change.name)}};
  json::array aspects;
  for (const AspectChange& aspect : change.aspects) {
    aspects.push_back({{"aspect", plain_text(aspect.aspect)},
                       {"before", plain_text(aspect.before)},
                       {"after", plain_text(aspect.after)}});
  }
  if (!aspects.empty()) object["aspects"] = std::move(aspects);
  if (!change.text_diff.empty()) object["diff"] = plain_text(change.text_diff);
  if (!change.task.empty()) object["task"] = plain_text(change.task);
  return object;
}

json::object object_of(const StepReport& step) {
  json::object object{{"step", to_string(step.step)}, {"outcome", word(step.outcome)}};
  if (step.outcome != StepReport::Outcome::skipped) object["seconds"] = seconds(step.duration);
  if (!step.detail.empty()) object["detail"] = plain_text(step.detail);
  if (!step.error.empty()) object["error"] = plain_text(step.error);
  if (step.by_host) object["by_host"] = true;
  if (!step.notes.empty()) {
    json::array notes;
    for (const std::string& note : step.notes) notes.emplace_back(plain_text(note));
    object["notes"] = std::move(notes);
  }
  if (step.result) {
    json::array tasks;
    for (const TaskResult& task : step.result->tasks) tasks.push_back(object_of(task));
    object["tasks"] = std::move(tasks);
  }
  if (step.changes) {
    json::array changes, ignored;
    for (const StateChange& change : step.changes->changes) changes.push_back(object_of(change));
    for (const IgnoredChange& change : step.changes->ignored) {
      json::object entry = object_of(change.change);
      entry["reason"] = plain_text(change.reason);
      ignored.push_back(std::move(entry));
    }
    object["changes"] = std::move(changes);
    object["ignored"] = std::move(ignored);
  }
  return object;
}

json::object object_of(const ScenarioReport& report) {
  json::array steps, checks;
  for (const StepReport& step : report.steps) steps.push_back(object_of(step));
  for (const CheckResult& check : report.checks) {
    json::array mismatches;
    for (const std::string& mismatch : check.mismatches) mismatches.emplace_back(plain_text(mismatch));
    checks.push_back({{"title", plain_text(check.title)},
                      {"ok", check.ok()},
                      {"seconds", seconds(check.duration)},
                      {"mismatches", std::move(mismatches)}});
  }
  return {{"name", plain_text(report.name)},
          {"file", plain_text(report.file.string())},
          {"ok", report.ok()},
          {"started", seconds(report.started.time_since_epoch())},
          {"seconds", seconds(report.duration())},
          {"steps", std::move(steps)},
          {"checks", std::move(checks)}};
}

}  // namespace

std::string render_json(const std::vector<ScenarioReport>& reports) {
  bool ok = true;
  json::array profiles;
  for (const ScenarioReport& report : reports) {
    ok = ok && report.ok();
    profiles.push_back(object_of(report));
  }
  return json::serialize(json::object{{"ok", ok}, {"profiles", std::move(profiles)}}) + "\n";
}

}  // namespace mayfly
