#pragma once

#include <string>
#include <vector>

#include "mayfly/profile/profile.h"

namespace mayfly {

/// Which steps the caller wants; goes before the profile's `[scenario]`.
struct StepSelection {
  std::vector<ScenarioStep> steps{};  ///< only these, and what they need; empty: as the profile says
  std::vector<ScenarioStep> skip{};   ///< added to the profile's
  std::vector<ScenarioStep> also{};   ///< optional ones, added to the profile's
};

/// What will become of a step.
struct PlannedStep {
  ScenarioStep step{};
  /// False where the profile has nothing for it: no [[side_effect]], no [[check]]. Then it isn't run either.
  bool configured = true;
  std::string why_skipped{};  ///< empty: it is run, unless an earlier one fails
  [[nodiscard]] bool runs() const noexcept { return why_skipped.empty(); }
  friend bool operator==(const PlannedStep&, const PlannedStep&) = default;
};

/// All steps in their order. A step that was asked for brings what it needs (a machine, converged); `destroy` comes
/// whenever `create` does.
[[nodiscard]] std::vector<PlannedStep> plan_steps(const Profile& profile, const StepSelection& selection = {});

/// The `[[prepare]]`, `[[provision]]`, `[[side_effect]]` and `[[cleanup]]` steps of the profile that the plan runs.
[[nodiscard]] std::vector<ProvisionStep> provision_steps(const Profile& profile, const std::vector<PlannedStep>& plan);

}  // namespace mayfly
