#pragma once

#include <vector>

namespace mayfly::bench {

[[nodiscard]] double median(std::vector<double> values);

/// @param fraction 0.95 for the 95th percentile
/// @return not-a-number without values
[[nodiscard]] double percentile(std::vector<double> values, double fraction);

}  // namespace mayfly::bench
