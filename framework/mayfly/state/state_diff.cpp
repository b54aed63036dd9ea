#include "mayfly/state/state_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mayfly/support/error.h"
#include "mayfly/support/utf8.h"

namespace mayfly {
namespace {

std::string_view to_string(StateChange::Kind kind) {
  constexpr std::array<std::string_view, 3> kNames{"added", "modified", "removed"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string render_aspect(const AspectChange& aspect, StateChange::Kind kind) {
  const auto or_none = [](const std::string& value) { return value.empty() ? "(none)" : value.c_str(); };
  if (aspect.before.empty() && aspect.after.empty()) {
    return aspect.aspect;
  }
  if (kind != StateChange::Kind::modified) {
    return fmt::format("{} {}", aspect.aspect, aspect.before.empty() ? aspect.after : aspect.before);
  }
  return fmt::format("{} {} -> {}", aspect.aspect, or_none(aspect.before), or_none(aspect.after));
}

std::string render_change(const StateChange& change) {
  std::string line = fmt::format("{:<9} {} {}", to_string(change.kind), to_string(change.resource), change.name);
  for (std::size_t i = 0; i < change.aspects.size(); ++i) {
    line += (i == 0 ? ": " : ", ") + render_aspect(change.aspects[i], change.kind);
  }
  if (!change.task.empty()) {
    line += fmt::format(" (by {})", change.task);
  }
  // Names and values are the container's: none of them may steer a terminal.
  line = printable(line) + '\n';
  std::string_view diff = change.text_diff;
  while (!diff.empty()) {
    const std::size_t end = std::min(diff.find('\n'), diff.size());
    line += fmt::format("    {}\n", printable(diff.substr(0, end)));
    diff.remove_prefix(std::min(end + 1, diff.size()));
  }
  return line;
}

}  // namespace

namespace {
constexpr std::array<std::string_view, 9> kNames{"file", "package", "unit",   "user",       "group",
                                                 "port", "mount",   "sysctl", "environment"};
}  // namespace

std::string_view to_string(ResourceKind kind) { return kNames.at(static_cast<std::size_t>(kind)); }

ResourceKind resource_kind(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    throw Error(fmt::format("'{}' is no kind of resource", name));
  }
  return static_cast<ResourceKind>(found - kNames.begin());
}

std::string render(const StateDiff& diff, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < std::min(diff.changes.size(), most); ++i) {
    text += render_change(diff.changes[i]);
  }
  if (diff.changes.size() > most) {
    const std::size_t more = diff.changes.size() - most;
    text += fmt::format("... {} more change{}\n", more, more == 1 ? "" : "s");
  }
  return text;
}

}  // namespace mayfly
