#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mayfly/state/state_diff.h"

namespace mayfly {

/// Whether an absolute path matches a pattern: `*` and `?` within a component, `**` over any number of components
/// ("/etc/nginx/**" matches the directory itself, too), `[a-z]` sets, `{a,b}` alternatives.
[[nodiscard]] bool matches_glob(std::string_view path, std::string_view pattern);

/// Changes that say nothing about a manifest. `[[idempotence.ignore]]` of a profile, or a default.
struct IgnoreRule {
  ResourceKind resource = ResourceKind::file;
  std::string pattern;  ///< a path's glob; of other resources the name's
  std::string reason;
  friend bool operator==(const IgnoreRule&, const IgnoreRule&) = default;
};

/// Logs, caches, locks, the tools' own state: documented in docs/state.md.
[[nodiscard]] const std::vector<IgnoreRule>& default_ignore_rules();

/// Moves what the rules match from `changes` to `ignored`.
[[nodiscard]] StateDiff ignoring(StateDiff diff, const std::vector<IgnoreRule>& rules);

/// Moves what a machine did by itself while nothing was done to it from `changes` to `ignored`: the same resource and
/// name in `control`.
[[nodiscard]] StateDiff without_noise(StateDiff diff, const StateDiff& control);

}  // namespace mayfly
