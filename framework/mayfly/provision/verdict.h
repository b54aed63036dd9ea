#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/provision/provision.h"

namespace mayfly {

/// Why a step failed, and the next step for the user (may be empty).
struct Verdict {
  std::string message;
  std::string hint{};
};

/// "task 'install nginx' (site.yml:12) failed: message", with the number of other failures. Nothing when none failed.
/// @param kind "task", "resource"
[[nodiscard]] std::optional<Verdict> first_failure(std::string_view kind, const std::vector<TaskResult>& tasks);

/// "'install nginx' (site.yml:12)"
[[nodiscard]] std::string name_and_place(std::string_view name, std::string_view where);

/// A path below `directory` without it; any other as it is.
[[nodiscard]] std::string shorten_path(std::string_view path, const std::filesystem::path& directory);

/// Counts the tasks by status.
[[nodiscard]] ConvergeResult tally(std::vector<TaskResult> tasks);

}  // namespace mayfly
