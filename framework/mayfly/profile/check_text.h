#pragma once

#include <string>
#include <vector>

#include "mayfly/profile/check.h"

namespace mayfly {

/// The checks as `[[check]]` tables, ready to be pasted into a profile; parse_profile() makes the same checks of it,
/// but for their lines:
/// ```
/// [[check]]
/// file = { path = "/etc/motd", mode = "0644", content = { contains = "welcome" } }
/// ```
[[nodiscard]] std::string to_toml(const std::vector<Check>& checks);

}  // namespace mayfly
