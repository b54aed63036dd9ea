#pragma once

#include <string>
#include <vector>

#include "mayfly/session/session.h"

namespace mayfly {

/// What a second converge did to a machine that was converged before, by both witnesses: the tool, and the machine.
struct IdempotenceReport {
  Convergence second;  ///< without noise: what the control machine did by itself, too, is among `changes.ignored`

  [[nodiscard]] bool tool_says_unchanged() const noexcept { return !second.reports_changes(); }
  [[nodiscard]] bool state_unchanged() const noexcept { return second.changes.empty(); }
  /// Holds when nothing has changed, and the tool, as far as it can tell, reports no change.
  [[nodiscard]] bool idempotent() const noexcept { return second.changed_nothing(); }
  /// Whether the tool and the machine tell different stories. Never of a tool that can't tell.
  [[nodiscard]] bool disagree() const noexcept {
    return second.tools_tell && tool_says_unchanged() != state_unchanged();
  }
};

/// Converges the profile's machine a second time: on a fresh, freshly booted clone above the frozen first converge. A
/// second clone of the same layer runs beside it, in which nothing is converged: what changes there changes by itself.
/// @throws as Session::start() and Container::converge()
[[nodiscard]] IdempotenceReport check_idempotence(Session& session, const Profile& profile,
                                                  const StartOptions& options = {});

/// Both verdicts, and what speaks against them; empty for a machine that is as it should be:
/// ```
/// the second converge changed the machine, though ansible reports no change:
///   modified  file /etc/stamp: content (by write a stamp, site.yml:9)
/// ```
[[nodiscard]] std::string explain(const IdempotenceReport& report);

}  // namespace mayfly
