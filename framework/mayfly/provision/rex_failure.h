#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "mayfly/provision/task_lines.h"
#include "mayfly/provision/verdict.h"

namespace mayfly {

/// What Rex has to say of a Rexfile or task, and where: "Rexfile:4", empty when it doesn't tell.
struct RexComplaint {
  std::string where;
  std::string message;
};

/// The first line that Rex logged at level ERROR, or the first after a heading.
/// @param output with the host's paths
/// @param directory the Rexfile's
[[nodiscard]] RexComplaint rex_complaint(std::string_view output, const std::filesystem::path& directory);

/// Why a run of Rex failed; nothing when it succeeded.
/// ```
/// resource 'run[nginx -t]' (Rexfile:12) failed: exit code 1: unknown directive
/// Rexfile:4: syntax error, near "fil '/etc/x'"
/// ```
/// @param output what Rex printed, with the host's paths
[[nodiscard]] std::optional<Verdict> rex_failure(const TaskLines& lines, int exit_code, std::string_view output,
                                                 const std::filesystem::path& directory);

}  // namespace mayfly
