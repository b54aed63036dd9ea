#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "mayfly/provision/inspection.h"

namespace mayfly {

// What the tools print, as findings. `directory`: places below it are shown relative to it.

/// `shellcheck -f json`. @throws Error for other text; so do the next three
[[nodiscard]] std::vector<Finding> parse_shellcheck(std::string_view json, const std::filesystem::path& directory);
/// `ansible-lint -f codeclimate`
[[nodiscard]] std::vector<Finding> parse_ansible_lint(std::string_view json, const std::filesystem::path& directory);
/// `puppet-lint --json`
[[nodiscard]] std::vector<Finding> parse_puppet_lint(std::string_view json, const std::filesystem::path& directory);
/// `puppet parser validate --render-as json`; nothing at all when there is no error
[[nodiscard]] std::vector<Finding> parse_puppet_syntax(std::string_view json, const std::filesystem::path& directory);

/// Lines such as "FILE: 4: message" (dash), "FILE: line 4: message" (bash), "FILE:4: message" (ruby),
/// "FILE:4:7: error: message" (cf-promises, ghc). Other lines are left out.
[[nodiscard]] std::vector<Finding> parse_error_lines(std::string_view text, const std::filesystem::path& file,
                                                     const std::filesystem::path& directory);

}  // namespace mayfly
