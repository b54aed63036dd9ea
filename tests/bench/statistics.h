#pragma once

#include <string>
#include <vector>

namespace mayfly::bench {

/// One row of the table: a way to do the job, and its times in milliseconds.
struct Row {
  std::string name;
  std::vector<double> milliseconds{};
};

[[nodiscard]] double median(std::vector<double> values);
[[nodiscard]] double percentile(std::vector<double> values, double fraction);

/// The table, with each row's median as a multiple of the first row's. Rows were measured in turn, so the ratio is
/// taken pair by pair (round i against round i) and its median printed: a slow moment of the machine slows both.
[[nodiscard]] std::string render_table(const std::vector<Row>& rows);

}  // namespace mayfly::bench
