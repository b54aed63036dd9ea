#pragma once

#include <filesystem>
#include <string>

#include "mayfly/exec/target.h"

namespace mayfly {

/// A directory or file of the host that a container sees.
struct HostMount {
  std::filesystem::path source;  ///< on the host
  std::string path;              ///< in the container, absolute; made with its parents where it is missing
  bool writable = false;
};

/// Mounts it in the running container, for all its processes, as long as it lives; its owners on the host's disk are
/// those of the container (where the file system can't be id-mapped, all belongs to nobody). What is mounted below
/// `source` on the host isn't there; devices and set-user-id programs in it have no effect.
/// @throws Error when `source` doesn't exist; SystemError
void mount_from_host(const Target& target, const HostMount& mount);

}  // namespace mayfly
