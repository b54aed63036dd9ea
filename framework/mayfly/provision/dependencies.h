#pragma once

#include "mayfly/image/image.h"
#include "mayfly/profile/profile.h"
#include "mayfly/support/log.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/sha256.h"

namespace mayfly {

struct DependencyOptions {
  Paths paths = Paths::from_environment();
  BuildScope scope{};
  Progress progress = log_progress();
  /// For programs that are compiled: Debian's suite and mirror; tool_base() tells them.
  DebianImage tools{.suite = "bookworm"};
  bool offline = false;  ///< the network isn't asked: what the store lacks is an error that names it
};

/// True when the step names roles, collections or modules that have to be installed or unpacked before it can run:
/// `requirements` of ansible, `forge` and archives in `modules` of puppet, the toolchain of propellor.
[[nodiscard]] bool has_dependencies(const ProvisionStep& step);

/// Installs what the step names into the store, once for the same content (of the requirements file, of the local
/// sources that it names, of archives), and returns a step that has its paths and no dependencies left. A step without
/// dependencies comes back as it is.
/// @throws Error with the installer's own message; with `offline` for what the store lacks
[[nodiscard]] ProvisionStep resolve_dependencies(const ProvisionStep& step, const DependencyOptions& options);

/// Adds all inputs of the dependencies to a hash: what resolve_dependencies() keys its entries by.
void hash_dependencies(Sha256& hash, const ProvisionStep& step);

}  // namespace mayfly
