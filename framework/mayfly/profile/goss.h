#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "mayfly/profile/check.h"

namespace mayfly {

/// Reads the checks of a Goss file (goss.yaml, github.com/goss-org/goss). Resources and attributes that have no
/// counterpart are errors, and so are templates; `meta` is left out, and resources with `skip: true` are.
/// @param name stands in diagnostics
/// @throws ProfileError with all diagnostics of the file at once
[[nodiscard]] std::vector<Check> parse_goss(std::string_view yaml, std::string_view name);

/// @throws ProfileError; SystemError when the file can't be read
[[nodiscard]] std::vector<Check> load_goss(const std::filesystem::path& file);

}  // namespace mayfly
