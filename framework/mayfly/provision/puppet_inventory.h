#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/provision/provision.h"

namespace mayfly {

/// The resources that a manifest's text declares, whether a catalog ever has them or not, by the line on which each
/// declaration begins, where Puppet's report places them. Read without Puppet: comments and quoted texts are left out,
/// what a function makes (`create_resources`) isn't seen, and a title that is computed stands as it is written.
/// `source` is the first template that the declaration names.
/// @param where "web.pp": what comes before the line's number
[[nodiscard]] std::vector<DeclaredTask> puppet_declarations(std::string_view manifest, const std::string& where);

/// Those of the manifest's directory and of the profile's modules that lie beside it; others are somebody else's.
[[nodiscard]] std::vector<DeclaredTask> puppet_inventory(const PuppetStep& step);

/// The directories that puppet_inventory() reads.
[[nodiscard]] std::vector<std::filesystem::path> puppet_own_directories(const PuppetStep& step);

}  // namespace mayfly
