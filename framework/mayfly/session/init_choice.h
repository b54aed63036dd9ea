#pragma once

#include <string>
#include <vector>

#include "mayfly/image/image.h"
#include "mayfly/profile/profile.h"

namespace mayfly {

/// What will run as process 1.
struct InitChoice {
  std::vector<std::string> argv;  ///< empty: Mayfly's own init
  bool systemd = false;
  friend bool operator==(const InitChoice&, const InitChoice&) = default;
};

/// Resolves the profile's `[init] command` against the image: the given command, else `/sbin/init` where the image has
/// one and isn't the host's, else Mayfly's own init. Looks whether it is systemd by following symlinks inside the image
/// (openat2(2), RESOLVE_IN_ROOT).
/// @throws Error when the profile names an init that the image doesn't have, or masks units of another than systemd
[[nodiscard]] InitChoice choose_init(const Profile& profile, const Image& image);

}  // namespace mayfly
