#include "mayfly/judge/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "mayfly/judge/machines.h"
#include "mayfly/support/deadline.h"

namespace mayfly {
namespace {

// A service that has just been started may not listen yet.
constexpr Milliseconds kUntilServicesAreUp{5'000};
constexpr Milliseconds kPause{100};
constexpr Milliseconds kQuiet{1'000};

bool is_of_what_runs(const StateChange& change) {
  return change.resource == ResourceKind::port || change.resource == ResourceKind::unit;
}

/// Without differences between services that go away while these start, and stay away: one machine may be slower than
/// the other.
StateDiff settled(StateDiff diff, const std::function<StateDiff()>& compare_again) {
  using Clock = Deadline::Clock;
  using Name = std::pair<ResourceKind, std::string>;
  const Deadline deadline = Deadline::after(kUntilServicesAreUp);
  std::map<Name, Clock::time_point> seen;  // when it was last a difference
  while (std::any_of(diff.changes.begin(), diff.changes.end(), is_of_what_runs) && !deadline.passed()) {
    const auto now = Clock::now();
    const StateDiff later = compare_again();
    for (const StateChange& change : later.changes) seen[{change.resource, change.name}] = Clock::now();
    std::erase_if(diff.changes, [&](const StateChange& change) {
      return is_of_what_runs(change) &&
             now - seen.try_emplace({change.resource, change.name}, now).first->second > kQuiet;
    });
    std::this_thread::sleep_for(kPause);
  }
  return diff;
}

/// When nothing of what runs has changed for a while: of a machine that can't be looked at again later.
MachineState settled_state(const Container& machine) {
  const Deadline deadline = Deadline::after(kUntilServicesAreUp);
  for (MachineState state = machine.capture_state();;) {
    std::this_thread::sleep_for(kQuiet);
    MachineState next = machine.capture_state();
    const StateDiff diff = difference(state, next);
    if (std::none_of(diff.changes.begin(), diff.changes.end(), is_of_what_runs) || deadline.passed()) {
      return next;
    }
    state = std::move(next);
  }
}

StateDiff judged(StateDiff diff, const Profile& profile) {
  diff = ignoring(std::move(diff), ignore_rules(profile));
  mask_secrets(diff, profile.prepare);
  mask_secrets(diff, profile.provision);
  return diff;
}

/// @param first_state of `first`, when it had been converged
StateDiff compare(const MachineState& first_state, const Container& first, const Container& second,
                  const Profile& profile) {
  StateDiff diff = judged(difference(first_state, second.capture_state()), profile);
  return settled(std::move(diff), [&] { return difference(first.capture_state(), second.capture_state()); });
}

Container converged(Session& session, const Profile& profile, const StartOptions& options) {
  Container machine = start_prepared(session, profile, options);
  (void)converge_or_save(machine, options);
  return machine;
}

}  // namespace

ComparisonReport check_reproducible(Session& session, const Profile& profile, const StartOptions& options) {
  const Container first = converged(session, profile, options);
  const MachineState first_state = first.capture_state();
  const Container second = converged(session, profile, options);
  ComparisonReport report{.first = fmt::format("{}, converged first", profile.name),
                          .second = fmt::format("{}, converged second", profile.name),
                          .differences = compare(first_state, first, second, profile)};
  if (!report.equal()) {
    save_artifacts(second, options);
  }
  return report;
}

UpgradeReport check_upgrade(Session& session, const Profile& from, const Profile& to, const StartOptions& options) {
  if (from.image != to.image || from.init != to.init || from.privileged != to.privileged) {
    throw Error(fmt::format("profiles '{}' and '{}' have different images or inits: an upgrade is of one machine",
                            from.name, to.name));
  }
  const Container fresh = converged(session, to, options);
  const Container machine = converged(session, from, options);
  const MachineState old_state = settled_state(machine);
  (void)converge_or_save(machine, options, {.steps = to.provision});
  UpgradeReport report{.upgraded = {.first = fmt::format("{}, fresh", to.name),
                                    .second = fmt::format("{} after {}", to.name, from.name),
                                    .differences = compare(fresh.capture_state(), fresh, machine, to)}};
  (void)converge_or_save(machine, options, {.steps = from.provision});
  mask_secrets(report.upgraded.differences, from.provision);
  report.downgraded = {.first = fmt::format("{}, fresh", from.name),
                       .second = fmt::format("{} after {}", from.name, to.name),
                       .differences = judged(difference(old_state, machine.capture_state()), from)};
  report.downgraded.differences =
      settled(std::move(report.downgraded.differences), [&] { return difference(old_state, machine.capture_state()); });
  mask_secrets(report.downgraded.differences, to.provision);
  if (!report.equal()) {
    save_artifacts(machine, options);
  }
  return report;
}

std::string explain(const ComparisonReport& report) {
  if (report.equal()) {
    return {};
  }
  return fmt::format("{} differs from {}:\n{}", report.second, report.first, render(report.differences));
}

}  // namespace mayfly
