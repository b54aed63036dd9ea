#include "mayfly/scenario/details.h"

#include <fmt/format.h>

#include <map>

namespace mayfly {

std::string describe(const ConvergeResult& result) {
  std::string text = fmt::format("{} ok, {} changed", result.ok, result.changed);
  if (result.failed > 0) text += fmt::format(", {} failed", result.failed);
  if (result.skipped > 0) text += fmt::format(", {} skipped", result.skipped);
  return text;
}

std::string describe(const StateDiff& diff) {
  if (diff.empty()) return "nothing changed";
  std::map<ResourceKind, std::size_t> counts;
  for (const StateChange& change : diff.changes) ++counts[change.resource];
  std::string text;
  for (const auto& [kind, count] : counts) {
    const std::string_view name = kind == ResourceKind::environment ? "environment variable" : to_string(kind);
    text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", count, name, count == 1 ? "" : "s");
  }
  return text + " changed";
}

}  // namespace mayfly
