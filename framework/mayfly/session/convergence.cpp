#include "mayfly/session/convergence.h"

#include <fmt/format.h>
#include <time.h>  // NOLINT(modernize-deprecated-headers): clock_getres(2)

#include <algorithm>
#include <charconv>

#include "mayfly/provision/secrets.h"

namespace mayfly {
namespace {

using TimePoint = std::chrono::system_clock::time_point;

/// ctimes are taken from the kernel's coarse clock, which is late by up to a jiffy (10 ms at 100 Hz).
constexpr std::chrono::milliseconds kClockGrain{10};

/// That jiffy on this machine.
std::chrono::nanoseconds clock_grain() {
  timespec grain{};
  return ::clock_getres(CLOCK_REALTIME_COARSE, &grain) == 0 ? std::chrono::nanoseconds(grain.tv_nsec)
                                                            : std::chrono::nanoseconds(kClockGrain);
}

bool ran_between(const TaskResult& task, TimePoint from, TimePoint to) {
  return task.started != TimePoint{} && task.started <= to && task.ended >= from;
}

/// "File[/etc/x]" and "files '/etc/x'" name /etc/x.
bool names(const TaskResult& task, const std::string& path) {
  const std::size_t at = task.name.find(path);
  return !path.empty() && at != std::string::npos &&
         std::string_view("]'\" ").find((task.name + " ")[at + path.size()]) != std::string_view::npos;
}

/// Fast tools have several tasks within one grain of the clock. Then the one that speaks of the file has made it, or
/// one that says that it has changed something; of these the first. None of them when a single task fills the grain.
const TaskResult* task_of(const StateChange& change, TimePoint when, const std::vector<TaskResult>& tasks) {
  const TimePoint latest = when + std::chrono::duration_cast<TimePoint::duration>(clock_grain());
  const auto rank = [&](const TaskResult& task) {
    const int weight = (names(task, change.name) ? 2 : 0) + (task.status == TaskResult::Status::changed ? 1 : 0);
    const bool alone = task.started <= when && task.ended >= latest;
    return alone ? std::max(weight, 2) : weight;
  };
  const TaskResult* best = nullptr;
  for (const TaskResult& task : tasks) {
    if (ran_between(task, when, latest) && (best == nullptr || rank(task) > rank(*best))) {
      best = &task;
    }
  }
  if (best != nullptr) {
    return best;
  }
  const auto near = std::find_if(tasks.begin(), tasks.end(), [&](const TaskResult& task) {
    return ran_between(task, when - kClockGrain, when + kClockGrain);
  });
  return near == tasks.end() ? nullptr : &*near;
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

TimePoint time_of(const StateChange& change, const StateDiff& diff) {
  return change.resource == ResourceKind::package ? time_of_package(change, diff) : change.when;
}

int line_of(const TaskResult& line) {
  const std::size_t colon = line.where.rfind(':');
  int number = 0;
  std::from_chars(line.where.data() + colon + 1, line.where.data() + line.where.size(), number);
  return number;
}

}  // namespace

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

std::vector<const TaskResult*> suspects(const StateChange& change, const StateDiff& diff,
                                        const std::vector<TaskResult>& lines) {
  std::vector<const TaskResult*> found;
  const TimePoint when = time_of(change, diff);
  if (when == TimePoint{} || change.kind == StateChange::Kind::removed) {
    return found;
  }
  const auto latest = when + std::chrono::duration_cast<TimePoint::duration>(clock_grain());
  for (const TaskResult& line : lines) {
    const bool known =
        std::any_of(found.begin(), found.end(), [&](const auto* other) { return other->where == line.where; });
    if (line.started <= latest && line.ended >= when && !known) {
      found.push_back(&line);
    }
  }
  return found;
}

void attribute_to_lines(StateDiff& diff, const std::vector<TaskResult>& lines) {
  constexpr std::size_t kMost = 5;  // more tell nothing
  for (StateChange& change : diff.changes) {
    std::vector<const TaskResult*> found = suspects(change, diff, lines);
    if (!change.task.empty() || found.empty() || found.size() > kMost) {
      continue;
    }
    const auto names_it = [&](const TaskResult* line) { return line->name.find(change.name) != std::string::npos; };
    if (std::count_if(found.begin(), found.end(), names_it) == 1) {
      found = {*std::find_if(found.begin(), found.end(), names_it)};
    }
    const auto [first, last] = std::minmax_element(
        found.begin(), found.end(), [](const auto* one, const auto* other) { return line_of(*one) < line_of(*other); });
    change.task = found.size() == 1 ? title_of(**first) : fmt::format("one of {}-{}", (*first)->where, line_of(**last));
  }
}

void attribute(StateDiff& diff, const std::vector<TaskResult>& tasks) {
  for (StateChange& change : diff.changes) {
    const TimePoint when = time_of(change, diff);
    if (!change.task.empty() || when == TimePoint{}) {
      continue;
    }
    if (const TaskResult* task = task_of(change, when, tasks)) {
      change.task = title_of(*task);
    }
  }
}

}  // namespace mayfly
