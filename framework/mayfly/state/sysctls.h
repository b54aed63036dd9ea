#pragma once

#include "mayfly/exec/target.h"
#include "mayfly/state/resources.h"

namespace mayfly {

/// The kernel parameters that are the container's own: those of its network, IPC and host name namespaces. All others
/// are the host's, and no container can change them. "net.ipv4.ip_forward" as sysctl(8) writes it. Without those that
/// count what goes on.
///
/// Read by a thread that joins these namespaces and ends in them: what /proc/sys shows depends on who looks.
/// @throws StoppedError, SystemError
[[nodiscard]] Resources read_sysctls(const Target& target);

}  // namespace mayfly
