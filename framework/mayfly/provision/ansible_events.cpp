#include "mayfly/provision/ansible_events.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/provision/json_fields.h"
#include "mayfly/provision/text.h"

namespace mayfly {
namespace {

namespace json = boost::json;

// ansible-core 2.14 appends a drawing of the place to some messages; TaskResult::where has the place.
// ansible-core 2.19 puts "Task failed: " before them, which we say already.
std::string without_location(std::string message) {
  constexpr std::string_view kTaskFailed = "Task failed: ";
  if (message.starts_with(kTaskFailed)) {
    message.erase(0, kTaskFailed.size());
  }
  message.resize(std::min(message.size(), message.find("\n\nThe error appears to be in")));
  return std::string(trimmed(message));
}

std::string failure_message(const json::object& event) {
  if (flag_of(event, "censored")) {
    return "its message is hidden by no_log";
  }
  const std::string message = without_location(text_of(event, "msg"));
  const std::string module_stderr = text_of(event, "module_stderr");
  if (!trimmed(module_stderr).empty()) {
    // The module itself crashed: the last line of a Python traceback names the exception.
    return "the module failed: " + std::string(last_line(module_stderr));
  }
  if (message == "non-zero return code") {
    const std::string err = text_of(event, "stderr");
    const std::string_view reason = trimmed(err).empty() ? last_line(text_of(event, "stdout")) : last_line(err);
    const std::string code = text_of(event, "rc");
    return reason.empty() ? fmt::format("exit code {}", code) : fmt::format("exit code {}: {}", code, reason);
  }
  return message.empty() ? without_location(text_of(event, "reason")) : message;
}

// "item 'b': exit code 7"; three items tell enough.
std::string items_message(const std::vector<std::string>& items) {
  std::string all;
  for (std::size_t i = 0; i < std::min<std::size_t>(items.size(), 3); ++i) {
    all += (i == 0 ? "" : "; ") + items[i];
  }
  return items.size() > 3 ? all + fmt::format("; and {} more items", items.size() - 3) : all;
}

class Reader {
 public:
  explicit Reader(const std::filesystem::path& directory) : directory_(directory) {}

  void read(const json::object& event) {
    const std::string kind = text_of(event, "event");
    if (kind == "play") {
      hosts_pattern_ = text_of(event, "hosts");
    } else if (kind == "no_hosts_matched") {
      if (run_.unmatched_hosts.empty()) {
        run_.unmatched_hosts = hosts_pattern_;
      }
    } else if (kind == "task") {
      started_[text_of(event, "id")] = {
          .name = text_of(event, "name"), .handler = flag_of(event, "handler"), .at = time_of(event, "time")};
      run_.running = name_and_place(text_of(event, "name"), place(event));
    } else if (kind == "declared") {
      run_.declared.push_back({.name = text_of(event, "name"),
                               .where = place(event),
                               .handler = flag_of(event, "handler"),
                               .source = text_of(event, "source")});
    } else if (kind == "item_failed") {
      failed_items_[text_of(event, "id")].push_back(
          flag_of(event, "censored") ? failure_message(event)
                                     : fmt::format("item '{}': {}", text_of(event, "item"), failure_message(event)));
    } else if (kind == "stats") {
      read_stats(event);
    } else {
      read_result(kind, event);
    }
  }

  AnsibleRun finish() && { return std::move(run_); }

 private:
  std::string place(const json::object& event) const { return shorten_path(text_of(event, "path"), directory_); }

  void read_result(const std::string& kind, const json::object& event) {
    const std::string id = text_of(event, "id");
    TaskResult task{.name = text_of(event, "name"), .where = place(event), .ended = time_of(event, "time")};
    if (const auto started = started_.find(id); started != started_.end()) {
      task.name = started->second.name;
      task.handler = started->second.handler;
      task.started = started->second.at;
    }
    if (const json::value* paths = event.if_contains("predicted")) {
      for (const json::value& path : paths->as_array()) {
        task.predicted.emplace_back(path.as_string());
      }
    }
    const auto done = flag_of(event, "changed") ? TaskResult::Status::changed : TaskResult::Status::ok;
    if (kind == "ok") {
      task.status = done;
    } else if (kind == "skipped") {
      task.status = TaskResult::Status::skipped;
      task.message = text_of(event, "skip_reason");
    } else if (kind == "failed" || kind == "unreachable") {
      task.status = TaskResult::Status::failed;
      const auto items = failed_items_.find(id);
      task.message = items == failed_items_.end() ? failure_message(event) : items_message(items->second);
      failed_items_.erase(id);
      if (flag_of(event, "ignored")) {
        task.status = done;
        task.message = "failed, ignored: " + task.message;
      } else {
        failures_[text_of(event, "host")].push_back(run_.tasks.size());
      }
    } else {
      throw Error(fmt::format("ansible's events: unknown event '{}'", kind));
    }
    run_.tasks.push_back(std::move(task));
  }

  void read_stats(const json::object& event) {
    run_.hosts.emplace();
    run_.running.clear();
    for (const auto& [host, counts] : event.at("hosts").as_object()) {
      run_.hosts->emplace_back(host);
      rescue(failures_[std::string(host)], counts.as_object().at("rescued").to_number<std::size_t>());
    }
  }

  // Ansible tells how many failures were rescued, not which. A failure that isn't ends the host's run, so those come
  // first.
  void rescue(const std::vector<std::size_t>& failures, std::size_t rescued) {
    for (std::size_t i = 0; i < std::min(rescued, failures.size()); ++i) {
      TaskResult& task = run_.tasks[failures[i]];
      task.status = TaskResult::Status::ok;
      task.message = "failed, rescued: " + task.message;
    }
  }

  const std::filesystem::path& directory_;
  AnsibleRun run_;
  std::string hosts_pattern_;
  struct Started {
    std::string name;
    bool handler;
    std::chrono::system_clock::time_point at;
  };
  std::map<std::string, Started> started_;                        // by task id: handlers start more than once
  std::map<std::string, std::vector<std::string>> failed_items_;  // by task id
  std::map<std::string, std::vector<std::size_t>> failures_;      // by host: indexes of tasks
};

}  // namespace

std::optional<AnsibleComplaint> ansible_complaint(std::string_view output, const std::filesystem::path& directory) {
  std::string_view rest = output;
  AnsibleComplaint complaint;
  for (const std::string_view mark : {"ERROR! ", "[ERROR]: "}) {
    if (const std::size_t found = output.find(mark); found != std::string_view::npos) {
      rest = output.substr(found + mark.size());
      complaint.message = rest.substr(0, rest.find('\n'));
      break;
    }
  }
  if (complaint.message.empty()) {
    return std::nullopt;
  }
  constexpr std::string_view kYaml = "Syntax Error while loading YAML.\n";
  if (const std::size_t yaml = rest.find(kYaml); yaml != std::string_view::npos) {
    const std::string_view cause = rest.substr(yaml + kYaml.size());
    complaint.message = fmt::format("syntax error: {}", trimmed(cause.substr(0, cause.find('\n'))));
  }
  if (const std::string_view origin = between(rest, "Origin: ", "\n"); !origin.empty()) {
    complaint.where = shorten_path(origin, directory);
  } else if (const std::string_view file = between(rest, "The error appears to be in '", "': line "); !file.empty()) {
    complaint.where = fmt::format("{}:{}:{}", shorten_path(file, directory), between(rest, "': line ", ", column "),
                                  between(rest, ", column ", ", but"));
  }
  return complaint;
}

AnsibleRun parse_ansible_events(std::string_view json_lines, const std::filesystem::path& directory) {
  Reader reader(directory);
  while (!json_lines.empty()) {
    const std::size_t end = json_lines.find('\n');
    if (end == std::string_view::npos) {
      break;  // ansible was killed while it wrote this line
    }
    read_json_object(json_lines.substr(0, end), "ansible's events",
                     [&](const json::object& event) { reader.read(event); });
    json_lines.remove_prefix(end + 1);
  }
  return std::move(reader).finish();
}

std::optional<Verdict> ansible_failure(const AnsibleRun& run, std::string_view host, int exit_code,
                                       std::string_view output, const std::filesystem::path& directory) {
  if (auto verdict = first_failure("task", run.tasks)) {
    return verdict;
  }
  if (!run.hosts) {
    if (exit_code != 0) {
      const auto complaint = ansible_complaint(output, directory);
      if (!complaint) {
        return Verdict{.message = fmt::format("ansible-playbook exited with {} before the end of the playbook: {}",
                                              exit_code, last_line(output))};
      }
      return Verdict{.message = complaint->where.empty() ? complaint->message
                                                         : fmt::format("{}: {}", complaint->where, complaint->message)};
    }
    return Verdict{.message = "ansible-playbook exited with 0, but its final record is missing"};
  }
  if (std::find(run.hosts->begin(), run.hosts->end(), host) == run.hosts->end()) {
    if (run.unmatched_hosts.empty()) {
      return Verdict{.message = fmt::format("no task ran on the container '{}'", host)};
    }
    return Verdict{.message = fmt::format("no host matched: the play is for '{}', the container is called '{}'",
                                          run.unmatched_hosts, host),
                   .hint = fmt::format("write 'hosts: all' in the playbook, or hostname = \"{}\" in the profile",
                                       run.unmatched_hosts)};
  }
  if (exit_code != 0) {
    return Verdict{.message = fmt::format("ansible-playbook exited with {}: {}", exit_code, last_line(output))};
  }
  return std::nullopt;
}

}  // namespace mayfly
