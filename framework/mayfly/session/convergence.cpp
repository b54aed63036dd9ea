#include "mayfly/session/convergence.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/provision/secrets.h"

namespace mayfly {
namespace {

using TimePoint = std::chrono::system_clock::time_point;

/// ctimes are taken from the kernel's coarse clock, which is late by up to a jiffy (10 ms at 100 Hz).
constexpr std::chrono::milliseconds kClockGrain{10};

bool ran_at(const TaskResult& task, TimePoint when, std::chrono::milliseconds tolerance) {
  return task.started != TimePoint{} && when >= task.started - tolerance && when <= task.ended + tolerance;
}

const TaskResult* task_at(TimePoint when, const std::vector<TaskResult>& tasks) {
  for (const auto tolerance : {std::chrono::milliseconds(0), kClockGrain}) {
    const auto found =
        std::find_if(tasks.begin(), tasks.end(), [&](const TaskResult& task) { return ran_at(task, when, tolerance); });
    if (found != tasks.end()) {
      return &*found;
    }
  }
  return nullptr;
}

/// dpkg writes the list of a package's files when it unpacks it.
TimePoint time_of_package(const StateChange& package, const StateDiff& diff) {
  for (const IgnoredChange& ignored : diff.ignored) {
    const std::string& path = ignored.change.name;
    for (const char* ending : {".list", ":amd64.list", ":arm64.list"}) {
      if (path == fmt::format("/var/lib/dpkg/info/{}{}", package.name, ending)) {
        return ignored.change.when;
      }
    }
  }
  return {};
}

}  // namespace

std::string title_of(const TaskResult& task) {
  return task.where.empty() ? task.name : fmt::format("{} ({})", task.name, task.where);
}

std::vector<IgnoreRule> ignore_rules(const Profile& profile) {
  std::vector<IgnoreRule> rules = default_ignore_rules();
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

void attribute(StateDiff& diff, const std::vector<TaskResult>& tasks) {
  for (StateChange& change : diff.changes) {
    const TimePoint when = change.resource == ResourceKind::package ? time_of_package(change, diff) : change.when;
    if (!change.task.empty() || when == TimePoint{}) {
      continue;
    }
    if (const TaskResult* task = task_at(when, tasks)) {
      change.task = title_of(*task);
    }
  }
}

}  // namespace mayfly
