#pragma once

#include <cstdint>

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// Container ids 0..count-1 are the host ids host_base..host_base+count-1, for users and groups alike.
struct IdMap {
  std::uint32_t host_base = 0;
  std::uint32_t count = 65'536;
  friend bool operator==(const IdMap&, const IdMap&) = default;
};

/// A user namespace that carries an id map and nothing else, for mount_setattr(2) with MOUNT_ATTR_IDMAP. Costs a
/// fork: make one a session.
/// @throws SystemError (EPERM without CAP_SYS_ADMIN; ENOSPC past user.max_user_namespaces)
[[nodiscard]] UniqueFd make_id_map_namespace(const IdMap& map);

}  // namespace mayfly
