#pragma once

#include <filesystem>

#include "mayfly/support/sha256.h"

namespace mayfly {

/// Adds a directory's tree without what no manifest reads and tools rewrite (.git, __pycache__).
void hash_directory(Sha256& hash, const std::filesystem::path& directory);

}  // namespace mayfly
