#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "mayfly/profile/profile.h"
#include "mayfly/scenario/report.h"

namespace mayfly {

// Verdicts that held are kept, as converged machines are: each in a file whose name is a hash of all that it depends
// on. One that did not hold is found anew each time.

/// Of reading the manifests: the content of all that is read, the configuration of linters in directories above and in
/// the home, and which tools are installed. Nothing for manifests that a linter may read beyond.
[[nodiscard]] std::optional<std::string> lint_key(const Profile& profile);

/// Of judging a second converge, besides its layer: which boots, what is ignored, limits, when a machine is ready.
[[nodiscard]] std::string idempotence_key(const Profile& profile);

/// The report of an earlier run, its outcome `cached` and the day told; nothing where there is none.
[[nodiscard]] std::optional<StepReport> find_kept(const std::filesystem::path& file, ScenarioStep step);

/// Keeps a report that is ok; best effort.
void keep(const std::filesystem::path& file, const StepReport& report);

}  // namespace mayfly
