#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "mayfly/exec/command.h"
#include "mayfly/exec/target.h"
#include "mayfly/provision/path_map.h"
#include "mayfly/provision/provision.h"
#include "mayfly/provision/secrets.h"
#include "mayfly/provision/tool.h"
#include "mayfly/provision/verdict.h"
#include "mayfly/support/deadline.h"

namespace mayfly {

/// Cuts pieces of output into lines, standard output and error apart, and hands each on once it is whole, masked.
class LineStream {
 public:
  explicit LineStream(std::function<void(std::string_view line)> on_line, SecretMask mask = {})
      : on_line_(std::move(on_line)), mask_(std::move(mask)) {}
  void feed(bool is_stderr, std::string_view piece);
  /// Hands on what has no line end yet.
  void finish();
  /// All lines as they came.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  void hand_on(std::string_view line);
  std::function<void(std::string_view line)> on_line_;
  SecretMask mask_;
  std::string begun_[2];
  std::string text_;
};

/// What a provisioner gets besides its settings.
struct StepContext {
  const Target& target;
  ProvisionMode mode;
  const std::string& without;  ///< the task that is left out; empty: none
  LineStream& lines;
  Milliseconds within;
  Deadline deadline;         ///< when `within` ends
  bool has_secrets = false;  ///< the tool must leave no records of its own in the container
  Tool tool{};               ///< that tool_of() asked for
};

struct StepOutcome {
  ConvergeResult result{};
  std::optional<Verdict> failure{};
};

// One a tool. A manifest that fails is an outcome; what keeps a tool from running at all (the container has stopped) is
// an Error.
[[nodiscard]] StepOutcome run_shell(const ShellStep& step, const StepContext& context);
[[nodiscard]] StepOutcome run_ansible(const AnsibleStep& step, const StepContext& context);
[[nodiscard]] StepOutcome run_puppet(const PuppetStep& step, const StepContext& context);
[[nodiscard]] StepOutcome run_cfengine(const CfengineStep& step, const StepContext& context);
[[nodiscard]] StepOutcome run_itamae(const ItamaeStep& step, const StepContext& context);
[[nodiscard]] StepOutcome run_rex(const RexStep& step, const StepContext& context);
[[nodiscard]] StepOutcome run_propellor(const PropellorStep& step, const StepContext& context);
[[nodiscard]] StepOutcome run_cdist(const CdistStep& step, const StepContext& context);
[[nodiscard]] StepOutcome run_command(const CommandStep& step, const StepContext& context);

/// What of the host goes into the container with the recipes.
[[nodiscard]] std::filesystem::path itamae_directory(const ItamaeStep& step);

/// The manifest that cdist starts with.
[[nodiscard]] std::filesystem::path cdist_manifest(const CdistStep& step);

/// Runs the step's tool in the container until the step's deadline; hands its output on, with the host's paths.
ExecResult run_tool(const StepContext& context, const std::vector<std::string>& argv, ExecOptions options,
                    const PathMap& paths);

/// The environment of every tool besides what ExecOptions gives.
[[nodiscard]] std::map<std::string, std::string> tool_environment();

/// "did not end within 10min"; `running` tells what it was at, and may be empty.
[[nodiscard]] Verdict timed_out(Milliseconds within, std::string_view running);

}  // namespace mayfly
