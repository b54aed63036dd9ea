#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mayfly/session/session.h"

namespace mayfly {

/// What further converges did to a machine that was converged before, by both witnesses: the tool, and the machine.
struct IdempotenceReport {
  IdempotenceBoot boot = IdempotenceBoot::fresh;  ///< which converges are judged
  /// The second converge, after a boot; without noise: what the control machine did by itself, too, is among
  /// `changes.ignored`.
  Convergence second{};
  std::optional<Convergence> third{};  ///< one more in the same boot, unless only a fresh boot is judged

  /// The converges that have to change nothing.
  [[nodiscard]] std::vector<const Convergence*> judged() const;
  [[nodiscard]] bool tool_says_unchanged() const;
  [[nodiscard]] bool state_unchanged() const;
  /// Holds when nothing has changed, and the tool, as far as it can tell, reports no change.
  [[nodiscard]] bool idempotent() const;
  /// Whether the tool and the machine tell different stories. Never of a tool that can't tell.
  [[nodiscard]] bool disagree() const;
};

/// Converges the profile's machine a second time: on a fresh, freshly booted clone above the frozen first converge, and
/// where the profile asks for it a third time in the same boot. A second clone of the same layer runs beside it, in
/// which nothing is converged: what changes there changes by itself.
/// @throws as Session::start() and Container::converge()
[[nodiscard]] IdempotenceReport check_idempotence(Session& session, const Profile& profile,
                                                  const StartOptions& options = {});

/// What a converge changed in /run, which isn't kept across boots: never judged, but worth telling where a tool reports
/// a change and nothing else is different. Without systemd's own.
[[nodiscard]] std::vector<StateChange> changes_in_run(const Convergence& convergence);

/// Both verdicts, and what speaks against them; empty for a machine that is as it should be:
/// ```
/// the second converge changed the machine, though ansible reports no change:
///   modified  file /etc/stamp: content (by write a stamp, site.yml:9)
/// ```
[[nodiscard]] std::string explain(const IdempotenceReport& report);

}  // namespace mayfly
