#include "bench/statistics.h"

#include <algorithm>
#include <cmath>

namespace mayfly::bench {

double percentile(std::vector<double> values, double fraction) {
  if (values.empty()) {
    return std::nan("");
  }
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

}  // namespace mayfly::bench
