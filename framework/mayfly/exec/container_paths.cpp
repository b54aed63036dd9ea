#include "mayfly/exec/container_paths.h"

#include <fmt/format.h>

#include "mayfly/exec/target_state.h"
#include "mayfly/support/error.h"
#include "mayfly/support/open_in_root.h"

namespace mayfly {

void require_absolute(const std::string& path) {
  if (!path.starts_with('/') || path.find('\0') != std::string::npos) {
    throw Error(fmt::format("path '{}' in a container has to be absolute", path));
  }
}

int open_in_root(const Target& target, const std::string& path, std::uint64_t flags) {
  require_absolute(path);
  return open_in_root(target.root_fd(), path.c_str(), flags);
}

void throw_file_error(const Target& target, std::string_view doing, const std::string& path, int code) {
  if (target.dead()) {
    throw_stopped();
  }
  throw SystemError(fmt::format("{} '{}' in the container", doing, path), code);
}

}  // namespace mayfly
