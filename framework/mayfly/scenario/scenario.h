#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "mayfly/scenario/plan.h"
#include "mayfly/scenario/report.h"
#include "mayfly/session/session.h"

namespace mayfly {

struct ScenarioOptions {
  StepSelection selection{};
  bool fresh = false;  ///< converge anew even if the store has the converged machine
  /// Where to save the container's logs when a step fails; empty: nowhere. What explains a step that judges goes into a
  /// directory of its name: the logs of its machine, `report.txt`, and all that changed as `changes.txt`.
  std::filesystem::path artifacts{};
  // What they throw ends the scenario.
  std::function<void(ScenarioStep)> on_start = [](ScenarioStep) {};
  std::function<void(const StepReport&)> on_step = [](const StepReport&) {};
  std::function<void(const std::vector<CheckResult>&)> on_checks = [](const std::vector<CheckResult>&) {};
  /// Called with the machine that the checks looked at, or that failed to converge, before it is destroyed; and with
  /// what is known until then, the step that has just failed included. When it is set, there is always a machine. Its
  /// time is no step's.
  std::function<void(const Container&, const ScenarioReport& so_far, bool failed)> before_destroy{};
};

/// Takes the profile's machine through the steps of plan_steps(). The profile's matrix isn't looked at: see
/// expand_matrix().
///
/// A failed lint ends it before there is a machine; a failed create, prepare or converge skips what needs them; a
/// machine that isn't idempotent is checked all the same; cleanup and destroy always come. The machine is converged
/// once and frozen; side effects, checks and cleanup happen to a clean clone of it.
[[nodiscard]] ScenarioReport run_scenario(Session& session, const Profile& profile,
                                          const ScenarioOptions& options = {});

}  // namespace mayfly
