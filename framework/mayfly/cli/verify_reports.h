#pragma once

#include <optional>
#include <vector>

#include "mayfly/cli/commands.h"
#include "mayfly/scenario/report.h"

namespace mayfly {

/// Tries to write where --junit, --json, --tap and --artifacts want to, and leaves nothing there: a long run must not
/// end with reports that can't be written.
/// @throws UsageError that names the option and the cause
void require_writable_reports(const VerifyArguments& arguments);

/// Writes what --junit, --json and --tap ask for.
void write_reports(const VerifyArguments& arguments, const std::vector<ScenarioReport>& reports);

/// What had become of a scenario when a signal ended it, with that as an error of the host's.
/// @param running the step that it interrupted; none: `create` where nothing had begun, else `destroy`
[[nodiscard]] ScenarioReport interrupted_report(ScenarioReport so_far, std::optional<ScenarioStep> running);

}  // namespace mayfly
