#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "mayfly/state/resources.h"

namespace mayfly {
namespace {

bool speaks_of_a_secret(std::string_view variable) {
  std::string name(variable);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  constexpr std::array<std::string_view, 6> kWords{"PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

bool is_secret(ResourceKind kind, std::string_view name, std::string_view aspect) {
  return aspect == "password" || (kind == ResourceKind::environment && speaks_of_a_secret(name));
}

std::vector<AspectChange> aspect_changes(ResourceKind kind, const std::string& name, const Aspects& before,
                                         const Aspects& after) {
  std::set<std::string> names;
  for (const Aspects* aspects : {&before, &after}) {
    for (const auto& [aspect, value] : *aspects) {
      names.insert(aspect);
    }
  }
  const auto value_in = [](const Aspects& aspects, const std::string& aspect) {
    const auto at = aspects.find(aspect);
    return at == aspects.end() ? std::string() : at->second;
  };
  std::vector<AspectChange> changes;
  for (const std::string& aspect : names) {
    AspectChange change{aspect, value_in(before, aspect), value_in(after, aspect)};
    if (change.before != change.after) {
      if (is_secret(kind, name, aspect)) {
        change.before.clear();
        change.after.clear();
      }
      changes.push_back(std::move(change));
    }
  }
  return changes;
}

}  // namespace

std::vector<StateChange> resource_changes(ResourceKind kind, const Resources& before, const Resources& after) {
  static const Aspects kNone;
  std::map<std::string, StateChange> changes;
  for (const auto& [name, aspects] : before) {
    const auto at = after.find(name);
    const bool removed = at == after.end();
    StateChange change{.resource = kind,
                       .name = name,
                       .kind = removed ? StateChange::Kind::removed : StateChange::Kind::modified,
                       .aspects = aspect_changes(kind, name, aspects, removed ? kNone : at->second)};
    if (removed || !change.aspects.empty()) {
      changes.emplace(name, std::move(change));
    }
  }
  for (const auto& [name, aspects] : after) {
    if (!before.contains(name)) {
      changes.emplace(name, StateChange{.resource = kind,
                                        .name = name,
                                        .kind = StateChange::Kind::added,
                                        .aspects = aspect_changes(kind, name, kNone, aspects)});
    }
  }
  std::vector<StateChange> sorted;
  sorted.reserve(changes.size());
  for (auto& [name, change] : changes) {
    sorted.push_back(std::move(change));
  }
  return sorted;
}

}  // namespace mayfly
