#pragma once

#include <functional>
#include <string>
#include <vector>

namespace mayfly::bench {

/// What one run of a row measures: a figure for each column of its group.
using Figures = std::vector<double>;

/// One way to do a group's job. What it needs for all of its runs is held by what the functions capture.
struct Row {
  std::string name;
  std::function<Figures()> run;
  std::function<void()> prepare{};   ///< before each run, not measured
  std::function<void()> clean_up{};  ///< after each run, not measured
  /// Somebody else's software: when it fails, its row says so and the others go on.
  bool peer = false;
  /// Not empty: why there is nothing to run, with what to install.
  std::string missing{};
};

/// Rows that do the same job, and are measured in turn. Ratios are taken to the first row that could be measured.
struct Group {
  std::string name;   ///< for --only
  std::string title;  ///< of its table
  std::vector<Row> rows{};
  std::vector<std::string> columns{"ms"};
  int most_rounds = 10'000;  ///< for jobs that take seconds
};

/// A run whose only figure is how long `work` takes, in milliseconds.
[[nodiscard]] std::function<Figures()> timed(std::function<void()> work);

/// Milliseconds that `work` takes.
[[nodiscard]] double milliseconds(const std::function<void()>& work);

/// What was measured of a row.
struct RowResult {
  std::string name;
  std::vector<Figures> rounds{};  ///< empty: `why_not` says why
  std::string why_not{};
  [[nodiscard]] std::vector<double> column(std::size_t number) const;
};

struct GroupResult {
  std::string name, title;
  std::vector<std::string> columns;
  std::vector<RowResult> rows{};
  /// @return nothing when there is no such row or it wasn't measured
  [[nodiscard]] const RowResult* row(const std::string& name) const;
  [[nodiscard]] const RowResult* first_measured() const;
};

/// Runs each row once to warm caches, then `rounds` times, in another order each round: after a spell without any, the
/// first move of a process between cgroups waits for RCU (peers make such), and no row shall always be the one that
/// pays for that, or never.
/// @param progress called with "cycle: round 3/40"
[[nodiscard]] GroupResult measure(const Group& group, int rounds,
                                  const std::function<void(const std::string&)>& progress);

/// The median of `row`'s figures as multiples of `base`'s, round by round: a slow moment of the machine slows both.
[[nodiscard]] double ratio(const RowResult& row, const RowResult& base, std::size_t column = 0);

}  // namespace mayfly::bench
