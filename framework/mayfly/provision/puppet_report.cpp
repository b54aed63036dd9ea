#include "mayfly/provision/puppet_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/provision/json_fields.h"
#include "mayfly/provision/text.h"

namespace mayfly {
namespace {

namespace json = boost::json;

const json::array& list_of(const json::object& object, std::string_view key) { return object.at(key).as_array(); }

// One line of a provider's message: without "change from A to B failed: ", and without apt's "Reading package
// lists...".
std::string one_line(std::string_view message) {
  if (const std::size_t failed = message.find(" failed: ");
      message.starts_with("change from ") && failed != std::string_view::npos) {
    message.remove_prefix(failed + std::string_view(" failed: ").size());
  }
  std::string line;
  while (!message.empty()) {
    const std::size_t end = message.find('\n');
    const std::string_view piece = trimmed(message.substr(0, end));
    message = end == std::string_view::npos ? std::string_view{} : message.substr(end + 1);
    if (!piece.empty() && (line.empty() || !piece.ends_with("..."))) {
      line += (line.empty() ? "" : " ") + std::string(piece);
    }
  }
  return line;
}

// Messages that Puppet logs for a resource have its path as source: "/Stage[main]/Main/Exec[broken]/returns".
std::string logged_message(const json::array& logs, const json::object& resource, std::string_view level) {
  std::string path;
  for (const json::value& part : list_of(resource, "containment_path")) {
    path += "/" + std::string(part.as_string());
  }
  std::string last;
  for (const json::value& value : logs) {
    const json::object& entry = value.as_object();
    const std::string source = text_of(entry, "source");
    if (text_of(entry, "level") == level && (source == path || source.starts_with(path + "/"))) {
      last = one_line(text_of(entry, "message"));
    }
  }
  return last;
}

std::string failure_message(const json::array& logs, const json::object& resource) {
  for (const json::value& event : list_of(resource, "events")) {
    if (text_of(event.as_object(), "status") == "failure") {
      return one_line(text_of(event.as_object(), "message"));
    }
  }
  return logged_message(logs, resource, "err");
}

// With --noop.
bool would_change(const json::object& resource) {
  const json::array& events = list_of(resource, "events");
  return std::any_of(events.begin(), events.end(),
                     [](const json::value& event) { return text_of(event.as_object(), "status") == "noop"; });
}

TaskResult read_resource(const json::object& resource, const json::array& logs) {
  TaskResult task{.name = text_of(resource, "resource"),
                  .handler = flag_of(resource, "refreshed"),
                  .started = time_of(resource, "started"),
                  .ended = time_of(resource, "ended")};
  if (flag_of(resource, "failed") || flag_of(resource, "failed_to_restart")) {
    task.status = TaskResult::Status::failed;
    task.message = failure_message(logs, resource);
  } else if (flag_of(resource, "skipped")) {
    task.status = TaskResult::Status::skipped;
    task.message = logged_message(logs, resource, "warning");
  } else {
    const bool changes = flag_of(resource, "changed") || task.handler || would_change(resource);
    task.status = changes ? TaskResult::Status::changed : TaskResult::Status::ok;
    constexpr std::string_view kFile = "File[/";
    if (would_change(resource) && task.name.starts_with(kFile)) {
      task.predicted.push_back(task.name.substr(kFile.size() - 1, task.name.size() - kFile.size()));
    }
  }
  return task;
}

PuppetReport read_report(const json::object& object, const PathMap& paths, const std::filesystem::path& directory) {
  PuppetReport report;
  const json::array& logs = list_of(object, "logs");
  const json::value* completed = object.if_contains("transaction_completed");
  report.failed = text_of(object, "status") == "failed" || (completed != nullptr && *completed == false);
  for (const json::value& value : list_of(object, "resources")) {
    const json::object& resource = value.as_object();
    const std::string file = text_of(resource, "file");
    TaskResult task = read_resource(resource, logs);
    // Puppet's own schedules and filebucket stand in no file; nor do resources that others make (concat's file), which
    // tell what these have changed.
    const bool idle = task.status == TaskResult::Status::ok || task.status == TaskResult::Status::skipped;
    if (file.empty() && idle) {
      continue;
    }
    task.message = paths.to_host(task.message);
    if (!file.empty()) {
      task.where = fmt::format("{}:{}", shorten_path(paths.to_host(file), directory), text_of(resource, "line"));
    }
    report.tasks.push_back(std::move(task));
  }
  for (const json::value& entry : logs) {
    if (text_of(entry.as_object(), "level") == "err") {
      report.error = paths.to_host(one_line(text_of(entry.as_object(), "message")));
    }
  }
  return report;
}

// "Error: text (file: /x/site.pp, line: 3, column: 3) on node web"; the last such line, since custom facts print theirs
// before the manifest is read.
Verdict compile_error(int exit_code, std::string_view output, const std::filesystem::path& directory) {
  // "Evaluation Error: " has the mark in the middle of a line.
  const std::size_t later = output.rfind("\nError: ");
  const std::size_t start = later != std::string_view::npos ? later + 1 : output.starts_with("Error: ") ? 0 : later;
  if (start == std::string_view::npos) {
    return {.message = fmt::format("puppet exited with {} and left no report: {}", exit_code, last_line(output))};
  }
  std::string_view line = output.substr(start + std::string_view("Error: ").size());
  line = trimmed(line.substr(0, line.find('\n')));
  constexpr std::string_view kParse = "Could not parse for environment production: ";
  if (line.starts_with(kParse)) {
    line.remove_prefix(kParse.size());
  }
  const std::size_t place = line.find(" (file: ");
  if (place == std::string_view::npos) {
    return {.message = std::string(line)};
  }
  const std::string_view file = between(line, " (file: ", ",");
  const std::string_view rest = line.substr(place, line.find(')', place) - place + 1);
  std::string_view number = between(rest, ", line: ", ",");
  number = number.empty() ? between(rest, ", line: ", ")") : number;
  const std::string_view column = between(rest, ", column: ", ")");
  return {.message = fmt::format("{}:{}{}{}: {}", shorten_path(file, directory), number, column.empty() ? "" : ":",
                                 column, line.substr(0, place))};
}

}  // namespace

PuppetReport parse_puppet_report(std::string_view text, const PathMap& paths, const std::filesystem::path& directory) {
  PuppetReport report;
  read_json_object(text, "puppet's report",
                   [&](const json::object& object) { report = read_report(object, paths, directory); });
  return report;
}

std::optional<Verdict> puppet_failure(const std::optional<PuppetReport>& report, int exit_code, std::string_view output,
                                      const std::filesystem::path& directory) {
  if (!report) {
    if (exit_code != 0 && exit_code != 2) {
      return compile_error(exit_code, output, directory);
    }
    return Verdict{.message = fmt::format("puppet exited with {}, but left no report", exit_code)};
  }
  if (auto verdict = first_failure("resource", report->tasks)) {
    return verdict;
  }
  if (report->failed || (exit_code != 0 && exit_code != 2)) {
    return Verdict{.message = fmt::format("puppet exited with {}: {}", exit_code,
                                          report->error.empty() ? std::string(last_line(output)) : report->error)};
  }
  return std::nullopt;
}

}  // namespace mayfly
