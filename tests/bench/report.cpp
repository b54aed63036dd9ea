#include "bench/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "bench/statistics.h"

namespace mayfly::bench {
namespace {

namespace json = boost::json;

std::string number(double value) {
  const double size = std::abs(value);
  return size >= 1000  ? fmt::format("{:.0f}", value)
         : size >= 100 ? fmt::format("{:.1f}", value)
                       : fmt::format("{:.2f}", value);
}

/// Of a failed command's message: what it said last.
std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of('\n');
  return text.substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end));
}

std::string head(const GroupResult& group) {
  if (group.columns.size() == 1) {
    const std::string& unit = group.columns.front();
    return fmt::format("| {0} | n | median {1} | p95 {1} | min {1} | ratio |\n|---|--:|--:|--:|--:|--:|\n", group.title,
                       unit);
  }
  std::string names = fmt::format("| {} | n |", group.title);
  std::string rule = "\n|---|--:|";
  for (const std::string& column : group.columns) {
    names += fmt::format(" {} |", column);
    rule += "--:|";
  }
  return names + rule + "\n";
}

std::string line(const GroupResult& group, const RowResult& row) {
  std::string text = fmt::format("| {} | {} |", row.name, row.rounds.size());
  if (row.rounds.empty()) {
    text += fmt::format(" not measured: {} |", last_line(row.why_not));
    const std::size_t cells = group.columns.size() == 1 ? 3 : group.columns.size() - 1;
    for (std::size_t i = 0; i < cells; ++i) text += " |";
  } else if (group.columns.size() == 1) {
    const std::vector<double> values = row.column(0);
    text += fmt::format(" {} | {} | {} | {:.2f} |", number(median(values)), number(percentile(values, 0.95)),
                        number(percentile(values, 0)), ratio(row, *group.first_measured()));
  } else {
    for (std::size_t i = 0; i < group.columns.size(); ++i) text += fmt::format(" {} |", number(median(row.column(i))));
  }
  return text + "\n";
}

}  // namespace

std::string markdown(const std::vector<GroupResult>& groups) {
  std::string text;
  for (const GroupResult& group : groups) {
    text += "\n" + head(group);
    for (const RowResult& row : group.rows) text += line(group, row);
  }
  return text;
}

std::string markdown(const std::vector<Aim>& aims, const std::vector<GroupResult>& groups) {
  std::string text;
  for (const Aim& aim : aims) {
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.name == aim.group; });
    const RowResult* row = group == groups.end() ? nullptr : group->row(aim.row);
    const RowResult* base = group == groups.end() || aim.base.empty() ? nullptr : group->row(aim.base);
    if (row == nullptr || (base == nullptr && !aim.base.empty())) {
      continue;
    }
    const double value = base == nullptr ? median(row->column(aim.column)) : ratio(*row, *base, aim.column);
    const bool holds = aim.at_least ? value >= aim.limit : value <= aim.limit;
    text += fmt::format("| {} | {} {:.4g} | {:.3g} | {} |\n", aim.text, aim.at_least ? "at least" : "at most",
                        aim.limit, value, holds ? "holds" : "missed");
  }
  return text.empty() ? text : "\n| aim | wanted | measured | |\n|---|--:|--:|---|\n" + text;
}

std::string as_json(const std::string& machine, const std::vector<GroupResult>& groups) {
  json::array list;
  for (const GroupResult& group : groups) {
    json::array rows;
    for (const RowResult& row : group.rows) {
      json::object entry{{"name", row.name}, {"rounds", json::value_from(row.rounds)}};
      if (!row.why_not.empty()) {
        entry["why_not"] = row.why_not;
      }
      if (!row.rounds.empty()) {
        json::array medians, p95;
        for (std::size_t i = 0; i < group.columns.size(); ++i) {
          medians.push_back(median(row.column(i)));
          p95.push_back(percentile(row.column(i), 0.95));
        }
        entry["median"] = std::move(medians);
        entry["p95"] = std::move(p95);
        entry["ratio"] = ratio(row, *group.first_measured());
      }
      rows.push_back(std::move(entry));
    }
    list.push_back({{"name", group.name},
                    {"title", group.title},
                    {"columns", json::value_from(group.columns)},
                    {"rows", std::move(rows)}});
  }
  return json::serialize(json::object{{"machine", machine}, {"groups", std::move(list)}}) + "\n";
}

}  // namespace mayfly::bench
