#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/facts/check.h"
#include "mayfly/profile/scenario.h"
#include "mayfly/provision/provision.h"
#include "mayfly/report/junit.h"
#include "mayfly/state/state_diff.h"

namespace mayfly {

/// What became of one step.
struct StepReport {
  enum class Outcome {
    ok,
    failed,
    skipped,
    cached,  ///< it went well earlier, and its outcome was kept
  };
  ScenarioStep step{};
  Outcome outcome = Outcome::ok;
  bool configured = true;  ///< false: skipped because the profile has nothing for it
  Milliseconds duration{0};
  std::string detail{};  ///< one line: "8 ok, 0 changed"; why it was skipped
  std::string error{};   ///< the whole text of a failure
  /// What is worth knowing though it fails nothing, a line each: remarks of linters with file and line, changes that a
  /// profile's rule ignores with its reason.
  std::vector<std::string> notes{};
  bool by_host = false;  ///< it failed for a cause that isn't the machine's own: no such image, no privileges
  /// What the tools said, of prepare, converge, idempotence, side_effect and cleanup.
  std::optional<ConvergeResult> result{};
  /// What changed in the machine, of converge and idempotence.
  std::optional<StateDiff> changes{};
};

/// What became of one profile, or one cell of a matrix.
struct ScenarioReport {
  std::string name;
  std::filesystem::path file{};
  std::chrono::system_clock::time_point started{};
  std::vector<StepReport> steps{};
  std::vector<CheckResult> checks{};

  [[nodiscard]] bool ok() const;
  [[nodiscard]] bool host_failed() const;
  [[nodiscard]] Milliseconds duration() const;  ///< of all steps
  [[nodiscard]] const StepReport* find(ScenarioStep step) const;
};

/// A case for each step that was configured, and after `verify` one for each check; for JUnit and TAP. What a check has
/// taken is its own time, `verify` has the rest; the suite's is that of all steps.
[[nodiscard]] JunitSuite junit_suite(const ScenarioReport& report);

/// Everything as JSON, for programs:
/// ```
/// {"ok": false, "profiles": [{"name": "web[suite=trixie]", "file": "/home/me/web.toml", "ok": false, "seconds": 12.1,
///   "steps": [{"step": "converge", "outcome": "ok", "seconds": 7.5, "detail": "2 ok, 4 changed",
///              "notes": ["site.yml:3: warning: ..."],
///              "tasks": [{"name": "install nginx", "status": "changed", "where": "site.yml:3", "seconds": 4.1}, ...],
///              "changes": [{"kind": "added", "resource": "package", "name": "nginx"}, ...]}, ...],
///   "checks": [{"title": "port 80: listening", "ok": false, "seconds": 0.01, "mismatches": ["listening: expected true,
///   is false"]}]}]}
/// ```
[[nodiscard]] std::string render_json(const std::vector<ScenarioReport>& reports);

}  // namespace mayfly
