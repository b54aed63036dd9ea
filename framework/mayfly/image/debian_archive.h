#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mayfly/image/apt_sources.h"
#include "mayfly/profile/profile.h"

// Internal to the module: where images of Debian come from.
namespace mayfly {

/// What the host's apt knows about reaching the archive.
struct DebianArchive {
  DebianMirrors mirrors;
  std::vector<std::string> settings;  ///< of apt: proxies, TLS, retries
};

/// Asks the host's apt; a mirror that the recipe names goes before its sources.
/// @param what for messages: "image debian bookworm"
/// @throws Error when the host has no apt, or no source of Debian's
[[nodiscard]] DebianArchive archive_for(const DebianImage& recipe, const std::string& what);

/// What the archive's signatures are checked with: those of these keyrings that there are.
[[nodiscard]] std::vector<std::string> keyrings(const DebianArchive& archive);

}  // namespace mayfly
