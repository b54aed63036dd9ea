#pragma once

#include <map>
#include <string>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/facts/mismatches.h"
#include "mayfly/profile/check.h"

namespace mayfly {

/// A check's outcome.
struct CheckResult {
  std::string title;                    ///< "service nginx: running, enabled"
  std::vector<std::string> mismatches;  ///< empty when it holds; "running: expected true, is false (failed)"
  Milliseconds duration{0};             ///< of looking, with all tries
  [[nodiscard]] bool ok() const noexcept { return mismatches.empty(); }
};

/// How checks are looked at.
struct CheckOptions {
  std::map<std::string, std::string> env{};  ///< for command checks, as ExecOptions::env: a profile's `env`
  Shown shown{};                             ///< masks secrets in titles and mismatches
};

/// Looks whether a check holds in the container; one with `within` is tried again until it does, or the time is over.
/// One that can't be asked (a service without systemd) fails with the reason. What the result says is printable(), and
/// may have several lines. @throws StoppedError
[[nodiscard]] CheckResult evaluate(const Target& target, const Check& check, const CheckOptions& options = {});

/// Looks at all in their order; those with `within` that don't hold yet then wait side by side, so that the longest
/// decides how long it takes and not their sum.
[[nodiscard]] std::vector<CheckResult> evaluate_all(const Target& target, const std::vector<Check>& checks,
                                                    const CheckOptions& options = {});

}  // namespace mayfly
