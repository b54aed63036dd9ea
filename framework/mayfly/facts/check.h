#pragma once

#include <map>
#include <string>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/profile/check.h"

namespace mayfly {

/// A check's outcome.
struct CheckResult {
  std::string title;                    ///< "service nginx: running, enabled"
  std::vector<std::string> mismatches;  ///< empty when it holds; "running: expected true, is false (failed)"
  [[nodiscard]] bool ok() const noexcept { return mismatches.empty(); }
};

/// Looks whether a check holds; one with `within` is tried again until it does, or the time is over. One that can't be
/// asked (a service without systemd) fails with the reason. @param env as ExecOptions::env. @throws StoppedError
[[nodiscard]] CheckResult evaluate(const Target& target, const Check& check,
                                   const std::map<std::string, std::string>& env = {});

/// Looks at all in their order; those with `within` that don't hold yet then wait side by side, so that the longest
/// decides how long it takes and not their sum.
[[nodiscard]] std::vector<CheckResult> evaluate_all(const Target& target, const std::vector<Check>& checks,
                                                    const std::map<std::string, std::string>& env = {});

}  // namespace mayfly
