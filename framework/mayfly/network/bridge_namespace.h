#pragma once

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A new network namespace with the bridge `mayfly0` (10.0.2.1/24) and on it the tap interface `tap0`, which waits for
/// slirp4netns; the default route leads to the gateway. The caller stays where it is.
/// @throws SystemError
[[nodiscard]] UniqueFd make_bridge_namespace();

}  // namespace mayfly
