#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mayfly/keeper/client.h"

namespace mayfly {

/// What `mayfly ps` prints: a row for each container, and one for a session without any.
/// @param now seconds since the epoch, for the ages
[[nodiscard]] std::string session_table(const std::vector<SessionInfo>& sessions, std::int64_t now);

/// What `mayfly ps --json` prints: `{"sessions": [{"id": ..., "alive": true, ..., "containers": [...]}]}`, on one line.
[[nodiscard]] std::string session_json(const std::vector<SessionInfo>& sessions);

}  // namespace mayfly
