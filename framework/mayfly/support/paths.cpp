#include "mayfly/support/paths.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

std::filesystem::path from_variable(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return std::filesystem::absolute(value != nullptr && *value != '\0' ? value : otherwise).lexically_normal();
}

}  // namespace

Paths Paths::from_environment() {
  return {.runtime = from_variable("MAYFLY_RUNTIME_DIR", "/run/mayfly"),
          .store = from_variable("MAYFLY_STORE_DIR", "/var/cache/mayfly")};
}

std::filesystem::path find_shipped(std::string_view name) {
  std::vector<std::string> searched;
  const auto exists_in = [&](const std::filesystem::path& directory) {
    searched.push_back((directory / name).string());
    std::error_code ignored;
    return std::filesystem::exists(directory / name, ignored);
  };
  const char* chosen = std::getenv("MAYFLY_LIBEXEC_DIR");
  if (chosen != nullptr && *chosen != '\0') {
    // Who names a directory means that one: a file missing there must not be replaced by another build's.
    const std::filesystem::path directory = std::filesystem::absolute(chosen);
    if (exists_in(directory)) {
      return directory / name;
    }
  } else {
    std::error_code unreadable;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", unreadable);
    const std::filesystem::path beside = self.parent_path().parent_path() / "libexec/mayfly";
    for (const std::filesystem::path& directory :
         {beside, std::filesystem::path(MAYFLY_BUILD_LIBEXEC), std::filesystem::path(MAYFLY_INSTALL_LIBEXEC)}) {
      if (exists_in(directory)) {
        return directory / name;
      }
    }
  }
  Error error(fmt::format("'{}', a part of Mayfly, not found; searched: {}", name, fmt::join(searched, ", ")));
  error.set_hint("MAYFLY_LIBEXEC_DIR names the directory that holds it");
  throw error;
}

}  // namespace mayfly
