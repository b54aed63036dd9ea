#include "mayfly/provision/verdict.h"

#include <fmt/format.h>

#include <algorithm>

namespace mayfly {

std::string name_and_place(std::string_view name, std::string_view where) {
  return where.empty() ? fmt::format("'{}'", name) : fmt::format("'{}' ({})", name, where);
}

std::optional<Verdict> first_failure(std::string_view kind, const std::vector<TaskResult>& tasks) {
  const auto has_failed = [](const TaskResult& task) { return task.status == TaskResult::Status::failed; };
  const auto first = std::find_if(tasks.begin(), tasks.end(), has_failed);
  if (first == tasks.end()) {
    return std::nullopt;
  }
  Verdict verdict{.message = fmt::format("{} {} failed", kind, name_and_place(first->name, first->where))};
  if (!first->message.empty()) {
    verdict.message += ": " + first->message;
  }
  if (const auto others = std::count_if(first + 1, tasks.end(), has_failed); others > 0) {
    verdict.message += fmt::format(" (and {} more failed)", others);
  }
  return verdict;
}

std::string shorten_path(std::string_view path, const std::filesystem::path& directory) {
  const std::string prefix = directory.string() + "/";
  return std::string(path.starts_with(prefix) ? path.substr(prefix.size()) : path);
}

ConvergeResult tally(std::vector<TaskResult> tasks) {
  ConvergeResult result{.tasks = std::move(tasks)};
  for (const TaskResult& task : result.tasks) {
    switch (task.status) {
      case TaskResult::Status::ok:
        ++result.ok;
        break;
      case TaskResult::Status::changed:
        ++result.changed;
        break;
      case TaskResult::Status::failed:
        ++result.failed;
        break;
      case TaskResult::Status::skipped:
        ++result.skipped;
        break;
    }
  }
  result.succeeded = result.failed == 0;
  return result;
}

}  // namespace mayfly
