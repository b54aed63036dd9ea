#include "mayfly/provision/propellor_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mayfly/provision/text.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

// Without the escape sequences of colours and cursor: ESC [ parameters letter.
std::string without_colours(std::string_view line) {
  std::string plain;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '\x1b' && at + 1 < line.size() && line[at + 1] == '[') {
      at = std::min(line.find_first_not_of("0123456789;?", at + 2), line.size());
    } else if (line[at] != '\r') {
      plain += line[at];
    }
  }
  return plain;
}

// What Propellor calls an error, else the last lines but for a Haskell program's call stack.
std::string reason_in(std::string_view output) {
  constexpr std::string_view kMark = "** error: ";
  if (const std::size_t mark = output.find(kMark); mark != std::string_view::npos) {
    output.remove_prefix(mark + kMark.size());
    return std::string(trimmed(output.substr(0, output.find('\n'))));
  }
  return tail(trimmed(output.substr(0, output.find("\nCallStack (from HasCallStack)"))), 3);
}

std::optional<TaskResult::Status> status_of(std::string_view word) {
  using Status = TaskResult::Status;
  constexpr std::array<std::pair<std::string_view, Status>, 3> kWords{
      {{"ok", Status::ok}, {"done", Status::changed}, {"failed", Status::failed}}};
  for (const auto& [name, status] : kWords) {
    if (name == word) {
      return status;
    }
  }
  return std::nullopt;
}

}  // namespace

bool PropellorLog::is_host(std::string_view word) const {
  return word == host_ || (word.starts_with(host_) && word.substr(host_.size()).starts_with('.'));
}

std::string PropellorLog::read(std::string_view line, Time now) {
  const std::string plain = without_colours(line);
  const std::string_view text = plain;
  const std::size_t blank = text.find(' ');
  const std::size_t dots = text.rfind(" ... ");
  const auto status = dots == std::string_view::npos ? std::nullopt : status_of(trimmed(text.substr(dots + 5)));
  if (!status || blank >= dots || !is_host(text.substr(0, blank))) {
    said_.append(plain).append("\n");
    if (without_reason_) {
      late_reason_.append(plain).append("\n");
      tasks_[*without_reason_].message = tail(trimmed(late_reason_), 3);
    }
    return plain;
  }
  const std::string_view name = text.substr(blank + 1, dots - blank - 1);
  if (name == "overall") {
    finished_ = true;
    return plain;
  }
  TaskResult task{.name = std::string(name), .status = *status, .started = last_, .ended = now};
  if (*status == TaskResult::Status::failed) {
    task.message = tail(trimmed(said_), 3);
  }
  if (*status == TaskResult::Status::failed && task.message.empty()) {
    without_reason_ = tasks_.size();
    late_reason_.clear();
  } else if (!late_reason_.empty()) {
    without_reason_.reset();
  }
  tasks_.push_back(std::move(task));
  last_ = now;
  said_.clear();
  return plain;
}

std::optional<Verdict> propellor_failure(const PropellorLog& log, int exit_code, std::string_view output) {
  if (auto verdict = first_failure("property", log.tasks())) {
    return verdict;
  }
  if (exit_code != 0) {
    const std::string reason = reason_in(output);
    return Verdict{.message = reason.empty() ? fmt::format("exit code {}", exit_code)
                                             : fmt::format("exit code {}: {}", exit_code, reason)};
  }
  if (!log.finished()) {
    return Verdict{.message = "it exited with 0, but its final record is missing"};
  }
  return std::nullopt;
}

}  // namespace mayfly
