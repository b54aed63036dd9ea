#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/profile/check.h"

namespace mayfly {

/// What was found of a check's resource: a value for each attribute that there is.
struct Observation {
  bool present = true;                          ///< false: the resource isn't there, and has no other attributes
  std::map<std::string, Value> values{};        ///< by attribute
  std::map<std::string, std::string> notes{};   ///< by attribute: what to add to its mismatch: " (failed)"
  std::string trouble{};                        ///< why nothing could be looked at; then nothing else is told
  std::map<std::string, std::string> quoted{};  ///< by attribute: a text whose first lines follow its note
  std::set<std::string> withheld{};             ///< attributes whose text is no text for reports
};

/// What a text becomes before it is shown: see SecretMask. Empty: it stays as it is.
using Shown = std::function<std::string(std::string_view)>;

/// What a check demands and an observation doesn't show, one entry each; empty when the check holds:
/// ```
/// running: expected true, is false (failed)
/// mode: expected 0644, is 0600
/// version: expected >= 1.24, is '1.22.1-9'
/// content: expected to contain 'worker_processes 4'
///     1 | worker_processes 2;
/// exit code: expected 0, is 7: curl: (7) Failed to connect
/// ```
/// @param shown is applied to what was found before it is cut to what fits, so that no part of a secret is left
[[nodiscard]] std::vector<std::string> mismatches(const Check& check, const Observation& found,
                                                  const Shown& shown = {});

/// What a check is called in reports: its own title, or all that it demands: "service nginx: running, enabled".
[[nodiscard]] std::string title_of(const Check& check);

}  // namespace mayfly
