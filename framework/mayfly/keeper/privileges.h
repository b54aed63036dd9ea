#pragma once

#include <sys/types.h>

#include <cstdint>

namespace mayfly {

/// Looks at what this process may do, before anything is tried.
/// @throws PrivilegeError that names what is missing:
/// ```
/// containers need root, and this process runs as user 1000
///   hint: run it as root, for example with sudo
/// ```
void require_privileges();

/// The same for a process with this effective user and these effective capabilities (bit n: capability n).
void require_privileges(uid_t user, std::uint64_t capabilities);

}  // namespace mayfly
