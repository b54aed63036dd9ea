#include "bench/row.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

#include "bench/statistics.h"

namespace mayfly::bench {
namespace {

void call(const std::function<void()>& step) {
  if (step) {
    step();
  }
}

Figures one_round(const Row& row) {
  call(row.prepare);
  Figures figures = row.run();
  call(row.clean_up);
  return figures;
}

/// @return false when a peer has failed, which `result` then says
bool measure_once(const Row& row, RowResult& result, bool keep) {
  try {
    Figures figures = one_round(row);
    if (keep) {
      result.rounds.push_back(std::move(figures));
    }
    return true;
  } catch (const std::exception& error) {
    if (!row.peer) {
      throw;
    }
    result.rounds.clear();
    result.why_not = fmt::format("failed: {}", error.what());
    return false;
  }
}

}  // namespace

double milliseconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

std::function<Figures()> timed(std::function<void()> work) {
  return [work = std::move(work)] { return Figures{milliseconds(work)}; };
}

std::vector<double> RowResult::column(std::size_t number) const {
  std::vector<double> values;
  for (const Figures& figures : rounds) {
    values.push_back(figures.at(number));
  }
  return values;
}

const RowResult* GroupResult::row(const std::string& wanted) const {
  const auto at = std::find_if(rows.begin(), rows.end(), [&](const RowResult& row) { return row.name == wanted; });
  return at == rows.end() || at->rounds.empty() ? nullptr : &*at;
}

const RowResult* GroupResult::first_measured() const {
  const auto at = std::find_if(rows.begin(), rows.end(), [](const RowResult& row) { return !row.rounds.empty(); });
  return at == rows.end() ? nullptr : &*at;
}

GroupResult measure(const Group& group, int rounds, const std::function<void(const std::string&)>& progress) {
  GroupResult result{.name = group.name, .title = group.title, .columns = group.columns};
  std::vector<std::size_t> order;
  for (const Row& row : group.rows) {
    result.rows.push_back({.name = row.name, .why_not = row.missing});
    progress(fmt::format("{}: warm up {}", group.name, row.name));
    if (row.missing.empty() && measure_once(row, result.rows.back(), false)) {
      order.push_back(result.rows.size() - 1);
    }
  }
  std::mt19937 random(1);  // NOLINT: the same orders in each run
  for (int round = 1; round <= std::min(rounds, group.most_rounds); ++round) {
    progress(fmt::format("{}: round {}/{}", group.name, round, std::min(rounds, group.most_rounds)));
    std::shuffle(order.begin(), order.end(), random);
    std::erase_if(order, [&](std::size_t i) { return !measure_once(group.rows[i], result.rows[i], true); });
  }
  return result;
}

double ratio(const RowResult& row, const RowResult& base, std::size_t column) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(row.rounds.size(), base.rounds.size()); ++i) {
    ratios.push_back(row.rounds[i].at(column) / base.rounds[i].at(column));
  }
  return median(ratios);
}

}  // namespace mayfly::bench
