#include "mayfly/provision/task_lines.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "mayfly/provision/json_fields.h"
#include "mayfly/provision/text.h"
#include "mayfly/provision/verdict.h"

namespace mayfly {
namespace {

TaskResult::Status status_of(const std::string& word) {
  using Status = TaskResult::Status;
  constexpr std::array<std::pair<std::string_view, Status>, 4> kWords{
      {{"ok", Status::ok}, {"changed", Status::changed}, {"failed", Status::failed}, {"skipped", Status::skipped}}};
  for (const auto& [name, status] : kWords) {
    if (name == word) {
      return status;
    }
  }
  throw Error(fmt::format("'status' is '{}', not ok, changed, failed or skipped", word));
}

std::chrono::system_clock::time_point time_of(const boost::json::object& record, std::string_view key) {
  const boost::json::value* seconds = record.if_contains(key);
  if (seconds == nullptr || seconds->is_null()) {
    return {};
  }
  const auto since_epoch = std::chrono::duration<double>(seconds->to_number<double>());
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch));
}

TaskResult read_task(const boost::json::object& record, const PathMap& paths, const std::filesystem::path& directory) {
  if (text_of(record, "task").empty()) {
    throw Error("'task' is missing");
  }
  TaskResult task{.name = text_of(record, "task"),
                  .status = status_of(text_of(record, "status")),
                  .where = shorten_path(paths.to_host(text_of(record, "where")), directory),
                  .message = paths.to_host(std::string(trimmed(text_of(record, "message")))),
                  .started = time_of(record, "started"),
                  .ended = time_of(record, "ended")};
  if (const boost::json::value* predicted = record.if_contains("predicted")) {
    for (const boost::json::value& path : predicted->as_array()) {
      task.predicted.emplace_back(path.as_string());
    }
  }
  return task;
}

}  // namespace

TaskLines parse_task_lines(std::string_view text, const PathMap& paths, const std::filesystem::path& directory) {
  TaskLines result;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    const bool cut_off = end == std::string_view::npos;
    text.remove_prefix(cut_off ? text.size() : end + 1);
    ++number;
    if (line.empty()) {
      continue;
    }
    try {
      read_json_object(line, fmt::format("line {} of the results", number), [&](const boost::json::object& record) {
        if (flag_of(record, "finished")) {
          result.finished = true;
        } else {
          result.tasks.push_back(in_context(fmt::format("reading line {} of the results", number),
                                            [&] { return read_task(record, paths, directory); }));
        }
      });
    } catch (const Error&) {
      if (!cut_off) {
        throw;
      }
    }
  }
  return result;
}

}  // namespace mayfly
