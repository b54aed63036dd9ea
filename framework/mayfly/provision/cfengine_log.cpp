#include "mayfly/provision/cfengine_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "mayfly/provision/json_fields.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

// No reader is later than that, it is taken.
constexpr std::chrono::milliseconds kReadingLag{100};

struct Message {
  std::string_view level;
  std::string_view text;
};

// "    info: Created file": the level is right-aligned.
std::optional<Message> parse_message(std::string_view line) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view level = trimmed(line.substr(0, colon));
  for (const std::string_view known : {"verbose", "info", "notice", "warning", "error", "CRITICAL"}) {
    if (level == known) {
      return Message{level, line.substr(colon + 2)};
    }
  }
  return std::nullopt;
}

// Info messages tell what was written to files.
std::string without_content(std::string_view line) {
  for (const std::string_view mark :
       {" with content '", "Inserted the promised line '", "Deleted the promised line '"}) {
    if (const std::size_t at = line.find(mark); at != std::string_view::npos) {
      return std::string(line.substr(0, at + mark.size() - 1)) + "(hidden)";
    }
  }
  return std::string(line);
}

// As CFEngine makes identifiers of file names.
std::string canonified(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return result;
}

std::size_t line_of(const std::filesystem::path& file, std::string_view text) {
  const std::string content = read_file_if_exists(file).value_or("");
  const std::size_t at = content.find(text);
  return at == std::string::npos ? 0
                                 : 1 + static_cast<std::size_t>(std::count(
                                           content.begin(), content.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

// "returnszero '/bin/systemctl -q is-active x'" of "returnszero("/bin/systemctl -q is-active x","noshell")"; empty for
// functions that run no commands.
std::string title_of_function(std::string_view call) {
  for (const std::string_view name : {"returnszero", "execresult", "execresult_as_data", "usemodule"}) {
    if (call.starts_with(fmt::format("{}(", name))) {
      return fmt::format("{} '{}'", name, between(call, "(\"", "\""));
    }
  }
  return {};
}

}  // namespace

CfengineLog::CfengineLog(std::filesystem::path policy, ProvisionMode mode, PathMap paths)
    : policy_(std::move(policy)), mode_(mode), paths_(std::move(paths)) {}

std::optional<std::string> CfengineLog::read(std::string_view line, Time arrived) {
  const auto message = parse_message(line);
  if (!message) {
    shown_ = shown_ || line.starts_with("R: ");
    return shown_ ? std::optional(paths_.to_host(line)) : std::nullopt;
  }
  const std::string text = paths_.to_host(message->text);
  if (arrived != last_) {
    earlier_ = std::exchange(last_, arrived);
  }
  const Time before = std::exchange(written_, std::max(earlier_, arrived - kReadingLag));
  if (message->level == "verbose") {
    read_verbose(text, before == Time() ? arrived : before, arrived);
    shown_ = false;
    return std::nullopt;
  }
  if (is_network_noise(line)) {
    shown_ = false;
    return std::nullopt;
  }
  if (!open_.empty() && (message->level == "error" || message->level == "CRITICAL")) {
    open_.back().errors.push_back(text);
  } else if (!open_.empty() && message->level == "warning") {
    open_.back().warnings.push_back(text);
  }
  const std::string told = paths_.to_host(line);
  std::string harmless = without_content(told);
  shown_ = harmless == told;
  return harmless;
}

void CfengineLog::read_verbose(std::string_view text, Time before, Time arrived) {
  constexpr std::string_view kBegin = "P: BEGIN promise '", kEnd = "P: END ";
  if (text.starts_with(kBegin)) {
    open_.push_back({.handle = std::string(between(text, kBegin, "' of type")),
                     .type = std::string(between(text, "of type \"", "\"")),
                     .promiser = {},
                     .where = {},
                     .started = written_,
                     .errors = {},
                     .warnings = {}});
  } else if (text.starts_with("P:    Stack path: ") && !open_.empty()) {
    // The promiser itself is cut off after 40 characters.
    const std::size_t end = text.rfind("'[");
    const std::size_t start = text.find("/" + open_.back().type + "/'");
    if (end != std::string_view::npos && start != std::string_view::npos) {
      const std::size_t from = start + open_.back().type.size() + 3;
      open_.back().promiser = text.substr(from, end - from);
    }
  } else if (const auto file = between(text, "Additional promise info: source path '", "' at line "); !file.empty()) {
    if (!open_.empty() && open_.back().where.empty()) {
      const std::string_view number = text.substr(text.find("' at line ") + 10);
      open_.back().where =
          fmt::format("{}:{}", shorten_path(file, policy_.parent_path()), number.substr(0, number.find(' ')));
    }
  } else if (const auto call = between(text, "Caching result for function '", "'"); !call.empty()) {
    call_function(text.substr(text.find('\'') + 1), before, arrived);
  } else if (text.starts_with("A: Promise was KEPT")) {
    verdict_ = TaskResult::Status::ok;
  } else if (text.starts_with("A: Promise REPAIRED")) {
    verdict_ = TaskResult::Status::changed;
  } else if (text.starts_with("A: Promise NOT KEPT")) {
    verdict_ = TaskResult::Status::failed;
  } else if (text.starts_with(kEnd)) {
    const std::size_t middle = text.find(" promise (");
    if (middle != std::string_view::npos) {
      end_promise(text.substr(kEnd.size(), middle - kEnd.size()), text.substr(middle + 10), arrived);
    }
  } else if (text.find("'Outcome of version ") != std::string_view::npos) {
    finished_ = true;
  }
}

void CfengineLog::call_function(std::string_view call, Time before, Time arrived) {
  const std::string title = title_of_function(call);
  if (title.empty()) {
    return;
  }
  const std::string command = fmt::format("\"{}\"", between(call, "(\"", "\""));
  TaskResult task{.name = title, .runs_always = true, .started = before, .ended = arrived};
  for (const std::filesystem::path& file : policies()) {
    if (const std::size_t line = line_of(file, command); line != 0) {
      task.where = fmt::format("{}:{}", shorten_path(file.string(), policy_.parent_path()), line);
      break;
    }
  }
  tasks_.push_back(std::move(task));
}

std::vector<std::filesystem::path> CfengineLog::policies() const {
  std::vector<std::filesystem::path> files;
  std::error_code missing;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(policy_.parent_path(), missing)) {
    if (entry.path().extension() == ".cf" && entry.path() != policy_) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  files.insert(files.begin(), policy_);
  return files;
}

void CfengineLog::end_promise(std::string_view type, std::string_view promiser, Time arrived) {
  const auto verdict = std::exchange(verdict_, std::nullopt);
  promiser = promiser.substr(0, std::min(promiser.rfind(')'), promiser.rfind("...)")));
  // A later pass begins promises that are done and never ends them.
  const auto found = std::find_if(open_.rbegin(), open_.rend(), [&](const Promise& promise) {
    return promise.type == type && promise.promiser.starts_with(promiser);
  });
  if (found == open_.rend()) {
    return;
  }
  const Promise promise = std::move(*found);
  open_.erase(std::prev(found.base()), open_.end());
  const bool only_calls = promise.type == "methods" || promise.type == "reports" || promise.type == "meta";
  if (!verdict || (only_calls && *verdict != TaskResult::Status::failed)) {
    return;
  }
  const auto has_failed = [](const TaskResult& task) { return task.status == TaskResult::Status::failed; };
  if (only_calls && std::any_of(tasks_.begin(), tasks_.end(), has_failed)) {
    return;
  }
  TaskResult task = task_of(promise, arrived);
  task.status = *verdict;
  if (task.status == TaskResult::Status::failed && mode_ == ProvisionMode::check && !promise.warnings.empty()) {
    // "Should create ..." is what a dry run has for a repair.
    task.status = TaskResult::Status::changed;
    task.message = promise.warnings.front();
    if (promise.type == "files") {
      task.predicted.push_back(promise.promiser);
    }
  } else if (task.status == TaskResult::Status::failed && !promise.errors.empty()) {
    task.message = promise.errors.front();
  }
  tasks_.push_back(std::move(task));
}

TaskResult CfengineLog::task_of(const Promise& promise, Time arrived) const {
  return {.name = fmt::format("{} '{}'", promise.type, promise.promiser),
          .where = place_of(promise),
          .started = promise.started,
          .ended = arrived};
}

std::string CfengineLog::place_of(const Promise& promise) const {
  const std::string file = policy_.filename().string();
  // Without a handle of its own, a promise is called after its place.
  if (const std::string prefix = fmt::format("promise_{}_", canonified(file)); promise.handle.starts_with(prefix)) {
    return fmt::format("{}:{}", file, promise.handle.substr(prefix.size()));
  }
  if (!promise.where.empty()) {
    return promise.where;
  }
  // A promise that isn't kept doesn't tell.
  const std::size_t line = line_of(policy_, fmt::format("\"{}\"", promise.promiser));
  return line == 0 ? "" : fmt::format("{}:{}", file, line);
}

std::string CfengineLog::running() const {
  if (open_.empty()) {
    return {};
  }
  const TaskResult task = task_of(open_.back(), {});
  return task.where.empty() ? task.name : fmt::format("{} ({})", task.name, task.where);
}

bool is_network_noise(std::string_view line) {
  return line.find(" error: Cannot follow symlink '/proc/net/") != std::string_view::npos;
}

std::optional<Verdict> cfengine_failure(const CfengineLog& log, int exit_code, std::string_view output) {
  if (auto verdict = first_failure("promise", log.tasks())) {
    return verdict;
  }
  if (exit_code != 0) {
    return Verdict{.message = fmt::format("cf-agent exited with {}: {}", exit_code, last_line(output))};
  }
  if (!log.finished()) {
    return Verdict{.message = fmt::format("cf-agent exited with {}, but its final record is missing", exit_code)};
  }
  return std::nullopt;
}

Verdict cfengine_policy_error(int exit_code, std::string_view output, const std::filesystem::path& directory) {
  constexpr std::string_view kMark = ": error: ";
  std::string message;
  for (std::string_view rest = output; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t mark = line.find(kMark);
    if (mark == std::string_view::npos || !line.starts_with('/')) {
      continue;
    }
    const bool says_why = line.substr(mark + kMark.size()) != "syntax error";
    if (message.empty() || says_why) {
      message = fmt::format("{}: {}", shorten_path(line.substr(0, mark), directory), line.substr(mark + kMark.size()));
    }
    if (says_why) {
      break;
    }
  }
  if (message.empty()) {
    const std::size_t error = output.find("error: ");
    const std::string_view text = error == std::string_view::npos ? last_line(output) : output.substr(error + 7);
    message = fmt::format("cf-promises exited with {}: {}", exit_code, trimmed(text.substr(0, text.find('\n'))));
  }
  return {.message = std::move(message)};
}

std::string cfengine_augments(std::string_view own, const std::map<std::string, std::string>& vars) {
  boost::json::object augments;
  if (!own.empty()) {
    read_json_object(own, "def.json beside the policy", [&](const boost::json::object& object) { augments = object; });
  }
  if (!vars.empty()) {
    boost::json::value& all = augments["vars"];
    if (!all.is_object()) {
      all.emplace_object();
    }
    for (const auto& [name, value] : vars) {
      all.get_object()[name] = boost::json::parse(value);
    }
  }
  return boost::json::serialize(augments);
}

}  // namespace mayfly
