#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/profile/check.h"

namespace mayfly {

/// Reads the checks of a Goss file (goss.yaml, github.com/goss-org/goss). Resources and attributes that have no
/// counterpart are errors, and so are templates; `meta` is left out, and resources with `skip: true` are.
/// @param name stands in diagnostics
/// @param skipped gets those with `skip: true`: "service nginx"
/// @throws ProfileError with all diagnostics of the file at once
[[nodiscard]] std::vector<Check> parse_goss(std::string_view yaml, std::string_view name,
                                            std::vector<std::string>* skipped = nullptr);

/// @param skipped as parse_goss(); without it, they are logged
/// @throws ProfileError; SystemError when the file can't be read
[[nodiscard]] std::vector<Check> load_goss(const std::filesystem::path& file,
                                           std::vector<std::string>* skipped = nullptr);

}  // namespace mayfly
