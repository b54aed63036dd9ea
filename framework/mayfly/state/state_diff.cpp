#include "mayfly/state/state_diff.h"

#include <array>

namespace mayfly {

std::string_view to_string(ResourceKind kind) {
  constexpr std::array<std::string_view, 9> kNames{"file", "package", "unit",   "user",       "group",
                                                   "port", "mount",   "sysctl", "environment"};
  return kNames.at(static_cast<std::size_t>(kind));
}

}  // namespace mayfly
