#pragma once

#include <map>
#include <string>
#include <vector>

#include "mayfly/profile/check.h"

namespace mayfly {

/// What was found of a check's resource: a value for each attribute that there is.
struct Observation {
  bool present = true;                         ///< false: the resource isn't there, and has no other attributes
  std::map<std::string, Value> values{};       ///< by attribute
  std::map<std::string, std::string> notes{};  ///< by attribute: what to add to its mismatch: " (failed)"
  std::string trouble{};                       ///< why nothing could be looked at; then nothing else is told
};

/// What a check demands and an observation doesn't show, one entry each; empty when the check holds:
/// ```
/// running: expected true, is false (failed)
/// mode: expected 0644, is 0600
/// version: expected >= 1.24, is '1.22.1-9'
/// content: expected to contain 'worker_processes 4'
///     1 | worker_processes 2;
/// exit code: expected 0, is 7: curl: (7) Failed to connect
/// ```
[[nodiscard]] std::vector<std::string> mismatches(const Check& check, const Observation& found);

/// What a check is called in reports: its own title, or all that it demands: "service nginx: running, enabled".
[[nodiscard]] std::string title_of(const Check& check);

}  // namespace mayfly
