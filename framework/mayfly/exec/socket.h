#pragma once

#include "mayfly/exec/target.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// Makes a socket(2) in the container's network namespace, O_CLOEXEC. It stays in that network wherever it is used:
/// what the caller connects it to, the container's own routes and addresses decide.
/// @throws SystemError; StoppedError
[[nodiscard]] UniqueFd open_socket(const Target& target, int family, int type, int protocol);

}  // namespace mayfly
