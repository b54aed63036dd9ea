#include "mayfly/judge/comparison.h"

#include <fmt/format.h>

#include "mayfly/judge/machines.h"

namespace mayfly {
namespace {

StateDiff compare(const MachineState& first, const MachineState& second, const Profile& profile) {
  StateDiff diff = ignoring(difference(first, second), ignore_rules(profile));
  mask_secrets(diff, profile.prepare);
  mask_secrets(diff, profile.provision);
  return diff;
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
                          .differences = compare(first_state, second.capture_state(), profile)};
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
  const MachineState old_state = machine.capture_state();
  (void)converge_or_save(machine, options, {.steps = to.provision});
  UpgradeReport report{.upgraded = {.first = fmt::format("{}, fresh", to.name),
                                    .second = fmt::format("{} after {}", to.name, from.name),
                                    .differences = compare(fresh.capture_state(), machine.capture_state(), to)}};
  (void)converge_or_save(machine, options, {.steps = from.provision});
  mask_secrets(report.upgraded.differences, from.provision);
  report.downgraded = {.first = fmt::format("{}, fresh", from.name),
                       .second = fmt::format("{} after {}", from.name, to.name),
                       .differences = compare(old_state, machine.capture_state(), from)};
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
