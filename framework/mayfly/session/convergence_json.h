#pragma once

#include <string>
#include <string_view>

#include "mayfly/session/convergence.h"

namespace mayfly {

/// A convergence as JSON text, without the tools' output: what is kept beside a layer and printed by reports.
/// ```
/// {"reported": {"succeeded": true, "ok": 3, ..., "tasks": [{"name": "install nginx", "status": "changed", ...}]},
///  "tools_tell": true,
///  "changes": [{"resource": "file", "name": "/etc/x", "kind": "modified",
///               "aspects": [{"aspect": "mode", "before": "0644", "after": "0600"}], "task": "..."}],
///  "ignored": [{"change": {...}, "reason": "apt's cache"}]}
/// ```
[[nodiscard]] std::string to_json(const Convergence& convergence);
[[nodiscard]] std::string to_json(const StateDiff& diff);

/// @throws Error when the text isn't what to_json() makes
[[nodiscard]] Convergence convergence_from_json(std::string_view text);

}  // namespace mayfly
