#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "mayfly/support/sha256.h"

namespace mayfly {

/// The files, directories and git repositories of this machine that a requirements.yml names, absolute, in its order:
/// values that are paths ("./x", "/x", "../x") or file URLs ("file:///x", "git+file:///x,branch") of something that
/// exists. Found by looks, without reading YAML: a path in a comment counts too, which only makes a key too careful.
/// @param directory what relative paths are relative to
[[nodiscard]] std::vector<std::filesystem::path> local_sources(std::string_view requirements,
                                                               const std::filesystem::path& directory);

/// Adds the file's content and that of its local sources; of a git repository its branches and tags too.
/// @throws SystemError when the file can't be read
void hash_requirements(Sha256& hash, const std::filesystem::path& requirements);

}  // namespace mayfly
