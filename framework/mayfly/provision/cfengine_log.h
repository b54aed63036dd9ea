#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/provision/path_map.h"
#include "mayfly/provision/provision.h"
#include "mayfly/provision/verdict.h"

namespace mayfly {

/// Reads what `cf-agent -v` prints, its only record of a run: each promise between "P: BEGIN promise" and "P: END",
/// with "A: Promise REPAIRED" or the like before its end. It has no times, so those of the lines' arrival are taken. On
/// a busy machine lines are read late, several at once: a task begins when its first line can have been written.
class CfengineLog {
 public:
  using Time = std::chrono::system_clock::time_point;

  /// @param policy on the host: places in its directory are shown relative to that
  CfengineLog(std::filesystem::path policy, ProvisionMode mode, PathMap paths);

  /// Takes a line. @return what of it a user wants to read: the messages at level "info" and above, without the content
  /// of files, which may be secret
  /// @param arrived the same for all lines that were read at once
  std::optional<std::string> read(std::string_view line, Time arrived);

  /// Promises that have been kept, repaired or not, in their order; but for reports, and those that only call others.
  /// Functions that run a command (returnszero, ...) are tasks, too: the agent calls them to find out, in a dry run as
  /// well, and believes that they change nothing.
  [[nodiscard]] const std::vector<TaskResult>& tasks() const noexcept { return tasks_; }
  /// "commands '/bin/sleep 5' (site.cf:7)"; empty when none is being worked on.
  [[nodiscard]] std::string running() const;
  /// Whether the last line of a run that came to its end was there.
  [[nodiscard]] bool finished() const noexcept { return finished_; }

 private:
  struct Promise {
    std::string handle, type, promiser, where;
    Time started;
    std::vector<std::string> errors, warnings;
  };
  void read_verbose(std::string_view text, Time before, Time arrived);
  void call_function(std::string_view call, Time before, Time arrived);
  void end_promise(std::string_view type, std::string_view promiser, Time arrived);
  [[nodiscard]] TaskResult task_of(const Promise& promise, Time arrived) const;
  [[nodiscard]] std::string place_of(const Promise& promise) const;
  [[nodiscard]] std::vector<std::filesystem::path> policies() const;  ///< of the policy's directory, itself first

  std::filesystem::path policy_;
  ProvisionMode mode_;
  PathMap paths_;
  std::vector<Promise> open_;
  std::optional<TaskResult::Status> verdict_;
  std::vector<TaskResult> tasks_;
  bool finished_ = false;
  Time earlier_{};      ///< when lines arrived before those that arrived last
  Time last_{};         ///< when the last line arrived
  Time written_{};      ///< the earliest moment when the last line can have been written
  bool shown_ = false;  ///< whether the last message was: some have several lines
};

/// CFEngine takes stock of the network on every run; in a user namespace /proc/net's owner is nobody that it knows, and
/// it complains of each file there.
[[nodiscard]] bool is_network_noise(std::string_view line);

/// Why a run failed; nothing when it succeeded. The agent's exit code is 0 whatever happened.
[[nodiscard]] std::optional<Verdict> cfengine_failure(const CfengineLog& log, int exit_code, std::string_view output);

/// Why cf-promises refused a policy: "site.cf:5:17: Expected '=>', got '='".
/// @param output with the host's paths
[[nodiscard]] Verdict cfengine_policy_error(int exit_code, std::string_view output,
                                            const std::filesystem::path& directory);

/// The text of `def.json`: the user's own, if there is one, with `vars` added.
/// @throws Error when the user's isn't a JSON object
[[nodiscard]] std::string cfengine_augments(std::string_view own, const std::map<std::string, std::string>& vars);

}  // namespace mayfly
