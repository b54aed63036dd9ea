#pragma once

#include <vector>

#include "mayfly/profile/profile.h"

namespace mayfly {

/// A plain profile for each combination of the matrix' values, the last axis changing fastest: "web[suite=bookworm]",
/// "web[suite=trixie]". A profile without a matrix gives itself.
[[nodiscard]] std::vector<Profile> expand_matrix(const Profile& profile);

}  // namespace mayfly
