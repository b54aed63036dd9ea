#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "mayfly/cli/console.h"
#include "mayfly/facts/check.h"
#include "mayfly/profile/profile.h"
#include "mayfly/report/junit.h"
#include "mayfly/session/session.h"

namespace mayfly {

/// One of the steps create, converge, idempotence, verify, destroy, named as Molecule names them.
struct VerifyStep {
  enum class Outcome { ok, failed, skipped };
  std::string name;
  Outcome outcome = Outcome::ok;
  Milliseconds duration{0};
  std::string detail{};  ///< one line: "8 ok, 0 changed"; why it was skipped
  std::string error{};   ///< the whole text of a failure
  bool by_host = false;  ///< it failed for a cause that isn't the machine's own: no such image, no privileges
};

/// What `mayfly verify` found out.
struct VerifyReport {
  std::string profile;
  std::vector<VerifyStep> steps{};
  std::vector<CheckResult> checks{};

  [[nodiscard]] bool ok() const;
  [[nodiscard]] bool host_failed() const;
};

struct VerifyOptions {
  std::function<void(const VerifyStep&)> on_step = [](const VerifyStep&) {};
  /// Called with the container before it is destroyed.
  std::function<void(const Container&)> before_destroy = [](const Container&) {};
  /// Where to save the container's logs when a step fails; empty: nowhere.
  std::filesystem::path artifacts{};
};

/// Takes the profile's machine through all steps. A failed create or converge skips what needs it; destroy always
/// comes.
[[nodiscard]] VerifyReport verify(Session& session, const Profile& profile, const VerifyOptions& options = {});

/// `converge     ok      24.3s  5 ok, 3 changed`, and the error below it.
[[nodiscard]] std::string render(const VerifyStep& step, const Console& console);

/// A line for each check, with what is different below it, and the verdict:
/// ```
/// checks: 1 of 2 hold
///   ok      service nginx: running, enabled
///   failed  port 80: listening
///           listening: expected true, is false
/// web: failed (verify)
/// ```
[[nodiscard]] std::string render_summary(const VerifyReport& report, const Console& console);

/// A case for each step but `verify`, and one for each check.
[[nodiscard]] JunitSuite junit_suite(const VerifyReport& report);

}  // namespace mayfly
