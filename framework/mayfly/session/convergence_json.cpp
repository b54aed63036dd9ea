#include "mayfly/session/convergence_json.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

namespace json = boost::json;
using TimePoint = std::chrono::system_clock::time_point;

constexpr std::array<std::string_view, 4> kStatuses{"ok", "changed", "failed", "skipped"};
constexpr std::array<std::string_view, 3> kKinds{"added", "modified", "removed"};

template <typename Names>
int index_in(const Names& names, std::string_view word) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == word) {
      return static_cast<int>(i);
    }
  }
  throw Error(fmt::format("'{}' is no word of a convergence's JSON", word));
}

/// Microseconds since the epoch.
std::int64_t number(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}
TimePoint time_from(std::int64_t number) { return TimePoint(std::chrono::microseconds(number)); }

json::object from(const TaskResult& task) {
  json::object object{{"name", task.name}, {"status", kStatuses.at(static_cast<std::size_t>(task.status))}};
  if (!task.where.empty()) object["where"] = task.where;
  if (!task.message.empty()) object["message"] = task.message;
  if (task.handler) object["handler"] = true;
  if (task.started != TimePoint{}) {
    object["started"] = number(task.started);
    object["ended"] = number(task.ended);
  }
  return object;
}

json::object from(const ConvergeResult& result) {
  json::array tasks;
  for (const TaskResult& task : result.tasks) {
    tasks.push_back(from(task));
  }
  json::array declared;
  for (const DeclaredTask& task : result.declared) {
    json::object object{{"name", task.name}, {"where", task.where}, {"handler", task.handler}};
    if (!task.source.empty()) object["source"] = task.source;
    declared.push_back(std::move(object));
  }
  json::array lines;
  for (const TaskResult& line : result.lines) {
    lines.push_back(from(line));
  }
  return {{"declared", std::move(declared)}, {"lines", std::move(lines)},
          {"succeeded", result.succeeded},   {"ok", result.ok},
          {"changed", result.changed},       {"failed", result.failed},
          {"skipped", result.skipped},       {"milliseconds", result.duration.count()},
          {"tasks", std::move(tasks)}};
}

json::object from(const StateChange& change) {
  json::array aspects;
  for (const AspectChange& aspect : change.aspects) {
    aspects.push_back(json::object{{"aspect", aspect.aspect}, {"before", aspect.before}, {"after", aspect.after}});
  }
  json::object object{{"resource", to_string(change.resource)},
                      {"name", change.name},
                      {"kind", kKinds.at(static_cast<std::size_t>(change.kind))},
                      {"aspects", std::move(aspects)}};
  if (change.when != TimePoint{}) object["when"] = number(change.when);
  if (!change.text_diff.empty()) object["text_diff"] = change.text_diff;
  if (!change.task.empty()) object["task"] = change.task;
  return object;
}

void add(json::object& object, const StateDiff& diff) {
  json::array changes;
  for (const StateChange& change : diff.changes) {
    changes.push_back(from(change));
  }
  json::array ignored;
  for (const IgnoredChange& change : diff.ignored) {
    ignored.push_back(json::object{{"change", from(change.change)}, {"reason", change.reason}});
  }
  object["changes"] = std::move(changes);
  object["ignored"] = std::move(ignored);
}

std::string text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? std::string() : std::string(value->as_string());
}

std::int64_t integer(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? 0 : value->as_int64();
}

TaskResult task_from(const json::object& object) {
  return {.name = text(object, "name"),
          .status = static_cast<TaskResult::Status>(index_in(kStatuses, text(object, "status"))),
          .where = text(object, "where"),
          .message = text(object, "message"),
          .handler = object.contains("handler"),
          .started = time_from(integer(object, "started")),
          .ended = time_from(integer(object, "ended"))};
}

ConvergeResult result_from(const json::object& object) {
  ConvergeResult result{.succeeded = object.at("succeeded").as_bool(),
                        .ok = static_cast<int>(integer(object, "ok")),
                        .changed = static_cast<int>(integer(object, "changed")),
                        .failed = static_cast<int>(integer(object, "failed")),
                        .skipped = static_cast<int>(integer(object, "skipped")),
                        .duration = Milliseconds(integer(object, "milliseconds"))};
  for (const json::value& task : object.at("tasks").as_array()) {
    result.tasks.push_back(task_from(task.as_object()));
  }
  if (const json::value* lines = object.if_contains("lines")) {
    for (const json::value& line : lines->as_array()) {
      result.lines.push_back(task_from(line.as_object()));
    }
  }
  for (const json::value& value : object.at("declared").as_array()) {
    const json::object& task = value.as_object();
    result.declared.push_back({.name = text(task, "name"),
                               .where = text(task, "where"),
                               .handler = task.at("handler").as_bool(),
                               .source = text(task, "source")});
  }
  return result;
}

StateChange change_from(const json::object& object) {
  StateChange change{.resource = resource_kind(text(object, "resource")),
                     .name = text(object, "name"),
                     .kind = static_cast<StateChange::Kind>(index_in(kKinds, text(object, "kind"))),
                     .when = time_from(integer(object, "when")),
                     .text_diff = text(object, "text_diff"),
                     .task = text(object, "task")};
  for (const json::value& value : object.at("aspects").as_array()) {
    const json::object& aspect = value.as_object();
    change.aspects.push_back({text(aspect, "aspect"), text(aspect, "before"), text(aspect, "after")});
  }
  return change;
}

}  // namespace

std::string to_json(const StateDiff& diff) {
  json::object object;
  add(object, diff);
  return json::serialize(object);
}

std::string to_json(const Convergence& convergence) {
  json::object object{{"reported", from(convergence.reported)}, {"tools_tell", convergence.tools_tell}};
  add(object, convergence.changes);
  return json::serialize(object);
}

Convergence convergence_from_json(std::string_view text) {
  try {
    // Names of files are bytes.
    json::parse_options options;
    options.allow_invalid_utf8 = true;
    const json::value document = json::parse(text, {}, options);
    const json::object& object = document.as_object();
    Convergence convergence{.reported = result_from(object.at("reported").as_object()),
                            .tools_tell = object.at("tools_tell").as_bool()};
    for (const json::value& change : object.at("changes").as_array()) {
      convergence.changes.changes.push_back(change_from(change.as_object()));
    }
    for (const json::value& value : object.at("ignored").as_array()) {
      const json::object& ignored = value.as_object();
      convergence.changes.ignored.push_back({.change = change_from(ignored.at("change").as_object()),
                                             .reason = std::string(ignored.at("reason").as_string())});
    }
    return convergence;
  } catch (const std::exception& error) {
    throw Error(fmt::format("read a convergence: {}", error.what()));
  }
}

}  // namespace mayfly
