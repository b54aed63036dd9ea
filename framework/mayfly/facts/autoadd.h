#pragma once

#include <string>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/profile/check.h"

namespace mayfly {

/// Checks of what a name stands for in the container, with what is true now: of "nginx" the package, the service, the
/// user, the group, the process, the ports that it listens on and its files in /etc; of "/srv/www" the file, directory,
/// symlink or mount; of "net.ipv4.ip_forward" the sysctl, of "eth0" the interface, of "http://localhost/" the answer.
/// Empty when there is nothing of the name.
[[nodiscard]] std::vector<Check> discover(const Target& target, const std::string& name);

}  // namespace mayfly
