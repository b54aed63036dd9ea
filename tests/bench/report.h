#pragma once

#include <string>
#include <vector>

#include "bench/row.h"

namespace mayfly::bench {

/// A figure that Mayfly wants to reach, as a ratio of two rows of one run or as a plain number.
struct Aim {
  std::string text;  ///< "a clean cycle against the floor with the same namespaces and mounts"
  std::string group, row;
  std::string base{};  ///< empty: the figure itself
  std::size_t column = 0;
  double limit = 0;
  bool at_least = false;  ///< more is better
};

/// A table a group, in Markdown: n, median, 95th percentile, smallest and ratio; of groups with several columns the
/// medians.
[[nodiscard]] std::string markdown(const std::vector<GroupResult>& groups);

/// The aims whose rows were measured, with what was measured.
[[nodiscard]] std::string markdown(const std::vector<Aim>& aims, const std::vector<GroupResult>& groups);

/// Everything that was measured, each round.
[[nodiscard]] std::string as_json(const std::string& machine, const std::vector<GroupResult>& groups);

}  // namespace mayfly::bench
