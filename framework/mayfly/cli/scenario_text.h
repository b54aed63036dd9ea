#pragma once

#include <string>
#include <vector>

#include "mayfly/cli/console.h"
#include "mayfly/scenario/report.h"

namespace mayfly {

/// `converge     ok      24.3s  5 ok, 3 changed`; below it the first notes, the error, and what has changed.
/// @param with_output adds the end of a failed tool's output, for those who haven't seen it
/// @param with_changes adds the first things that a step has changed which doesn't judge: packages, units and the like
/// before files
[[nodiscard]] std::string render(const StepReport& step, const Console& console, bool with_output = false,
                                 bool with_changes = false);

/// The checks that don't hold, with what is different below each; empty when all hold. No line end at the end.
[[nodiscard]] std::string render_failed_checks(const ScenarioReport& report, const Console& console);

/// A line for each check, with what is different below it, and the verdict:
/// ```
/// checks: 1 of 2 hold
///   ok      service nginx: running, enabled
///   failed  port 80: listening
///           listening: expected true, is false
/// web: failed (verify)
/// ```
[[nodiscard]] std::string render_summary(const ScenarioReport& report, const Console& console);

/// A row for each profile and cell, a column for each step that judges or has failed, and why each failed:
/// ```
/// PROFILE              CREATE  CONVERGE  VERIFY  CHECKS  TIME  RESULT
/// web[suite=bookworm]    1.2s      7.5s    29ms     3/3  8.9s  verified
/// web[suite=trixie]      1.3s    failed       -       -  9.1s  failed
/// web[suite=trixie]: converge: ansible site.yml: task 'install nginx' (site.yml:9) failed
/// 1 of 2 verified in 10.4s
/// ```
/// @param took by the clock on the wall, since several may run at a time
[[nodiscard]] std::string render_table(const std::vector<ScenarioReport>& reports, Milliseconds took,
                                       const Console& console);

}  // namespace mayfly
