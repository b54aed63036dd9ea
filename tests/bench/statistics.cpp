#include "bench/statistics.h"

#include <fmt/format.h>

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

std::string render_table(const std::vector<Row>& rows) {
  std::string table = fmt::format("{:<58}{:>4} {:>10} {:>9} {:>9} {:>9}\n", "clean container -> /bin/true -> gone", "n",
                                  "median ms", "p95 ms", "min ms", "x floor");
  for (const Row& row : rows) {
    if (row.milliseconds.empty()) {
      table += fmt::format("{:<58}   0   not measured\n", row.name);
      continue;
    }
    std::vector<double> ratios;
    for (std::size_t i = 0; i < std::min(row.milliseconds.size(), rows.front().milliseconds.size()); ++i) {
      ratios.push_back(row.milliseconds[i] / rows.front().milliseconds[i]);
    }
    table += fmt::format("{:<58}{:>4} {:>10.2f} {:>9.2f} {:>9.2f} {:>9.2f}\n", row.name, row.milliseconds.size(),
                         median(row.milliseconds), percentile(row.milliseconds, 0.95), percentile(row.milliseconds, 0),
                         median(ratios));
  }
  return table;
}

}  // namespace mayfly::bench
