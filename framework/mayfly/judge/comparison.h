#pragma once

#include <string>
#include <vector>

#include "mayfly/session/session.h"

namespace mayfly {

/// Two machines of the same image that should be equal.
struct ComparisonReport {
  std::string first, second;  ///< what each is: "1.toml, fresh", "1.toml after 2.toml"
  StateDiff differences;      ///< from the first to the second
  [[nodiscard]] bool equal() const noexcept { return differences.empty(); }
};

/// Converges two clean machines and compares how they end up: whatever depends on time, chance or order shows. Units
/// and ports that differ have five seconds to become alike, and have to stay so for one: services start at their own
/// speed.
/// @throws as Session::start() and Container::converge()
[[nodiscard]] ComparisonReport check_reproducible(Session& session, const Profile& profile,
                                                  const StartOptions& options = {});

/// The way of a machine that lives longer than one version of its manifests.
struct UpgradeReport {
  ComparisonReport upgraded;  ///< a fresh machine of the new version, against one that was converged with the old first
  ComparisonReport downgraded;  ///< a fresh machine of the old version, against one that came back from the new
  [[nodiscard]] bool equal() const noexcept { return upgraded.equal() && downgraded.equal(); }
};

/// Converges old, then new, then old again on one machine, and compares with fresh machines of each, as
/// check_reproducible() does; the old version's services have up to five seconds to come to rest before they are
/// replaced.
/// @throws Error when the two profiles' images or inits differ
[[nodiscard]] UpgradeReport check_upgrade(Session& session, const Profile& from, const Profile& to,
                                          const StartOptions& options = {});

/// ```
/// web-1 after web-2 differs from web-1, fresh:
///   added     file /etc/nginx/conf.d/v2.conf
/// ```
/// Empty for equal machines.
[[nodiscard]] std::string explain(const ComparisonReport& report);

}  // namespace mayfly
