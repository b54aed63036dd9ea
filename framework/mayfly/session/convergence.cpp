#include "mayfly/session/convergence.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/provision/secrets.h"

namespace mayfly {

std::string title_of(const TaskResult& task) {
  return task.where.empty() ? task.name : fmt::format("{} ({})", task.name, task.where);
}

std::vector<IgnoreRule> ignore_rules(const Profile& profile, std::vector<IgnoreRule> rules) {
  for (const IgnoreSetting& setting : profile.idempotence.ignore) {
    rules.push_back({resource_kind(setting.resource), setting.pattern, setting.reason});
  }
  return rules;
}

void mask_secrets(StateDiff& diff, const std::vector<ProvisionStep>& steps) {
  const SecretMask mask = mask_of(steps);
  if (mask.empty()) {
    return;
  }
  const auto mask_change = [&](StateChange& change) {
    change.text_diff = mask(change.text_diff);
    for (AspectChange& aspect : change.aspects) {
      aspect.before = mask(aspect.before);
      aspect.after = mask(aspect.after);
    }
  };
  std::for_each(diff.changes.begin(), diff.changes.end(), mask_change);
  for (IgnoredChange& ignored : diff.ignored) {
    mask_change(ignored.change);
  }
}

}  // namespace mayfly
