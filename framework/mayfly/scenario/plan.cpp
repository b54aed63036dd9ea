#include "mayfly/scenario/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/provision/dependencies.h"

namespace mayfly {
namespace {

using Step = ScenarioStep;

constexpr std::string_view kNotAskedFor = "not asked for";

bool contains(const std::vector<Step>& steps, Step step) {
  return std::find(steps.begin(), steps.end(), step) != steps.end();
}

template <typename Condition>
bool any_step(const Profile& profile, Condition condition) {
  for (const auto* steps : {&profile.prepare, &profile.provision, &profile.side_effect, &profile.cleanup}) {
    if (std::any_of(steps->begin(), steps->end(), condition)) return true;
  }
  return false;
}

/// Why the profile has nothing for a step; empty when it has.
std::string_view nothing_for(Step step, const Profile& profile) {
  switch (step) {
    case Step::dependency:
      return any_step(profile, has_dependencies) ? "" : "the manifests name none";
    case Step::lint:
      return any_step(profile, [](const auto&) { return true; }) ? "" : "the profile has no manifests";
    case Step::upgrade:
      if (profile.scenario.upgrade_from.empty()) return "the profile has no 'upgrade_from' in [scenario]";
      [[fallthrough]];
    case Step::converge:
    case Step::idempotence:
    case Step::check:
    case Step::reproducible:
      return profile.provision.empty() ? "the profile has no [[provision]]" : "";
    case Step::prepare:
      return profile.prepare.empty() ? "the profile has no [[prepare]]" : "";
    case Step::side_effect:
      return profile.side_effect.empty() ? "the profile has no [[side_effect]]" : "";
    case Step::verify:
      return profile.checks.empty() ? "the profile has no [[check]]" : "";
    case Step::cleanup:
      return profile.cleanup.empty() ? "the profile has no [[cleanup]]" : "";
    case Step::create:
    case Step::destroy:
      break;
  }
  return "";
}

/// The steps that were asked for, and those without which they make no sense.
std::vector<Step> with_needs(std::vector<Step> steps) {
  const auto add = [&](Step step) {
    if (!contains(steps, step)) steps.push_back(step);
  };
  const Step last = *std::max_element(steps.begin(), steps.end());
  if (last >= Step::create) add(Step::create);
  if (last >= Step::prepare) add(Step::prepare);
  if (last >= Step::idempotence && last != Step::destroy) add(Step::converge);
  if (contains(steps, Step::lint) || contains(steps, Step::converge)) add(Step::dependency);
  if (contains(steps, Step::create)) add(Step::destroy);
  return steps;
}

}  // namespace

std::vector<PlannedStep> plan_steps(const Profile& profile, const StepSelection& selection) {
  const bool asked = !selection.steps.empty();
  const std::vector<Step>& named = asked ? selection.steps : profile.scenario.steps;
  const std::vector<Step> wanted = named.empty() ? named : with_needs(named);

  const auto why_skipped = [&](Step step) -> std::string {
    if (step == Step::destroy && !wanted.empty() && !contains(wanted, step)) return "there is no machine";
    if (step == Step::destroy) return {};
    if (contains(selection.skip, step)) return "skipped by --skip";
    if (!wanted.empty() && !contains(wanted, step) && !contains(selection.also, step)) {
      return std::string(asked ? kNotAskedFor : "not among the profile's steps");
    }
    if (contains(named, step)) return {};
    const bool also = contains(selection.also, step) || contains(profile.scenario.also, step) ||
                      (step == Step::upgrade && !profile.scenario.upgrade_from.empty());
    if (is_optional(step) && !also) return std::string(kNotAskedFor);
    if (contains(profile.scenario.skip, step)) return "the profile skips it";
    if (step == Step::idempotence && profile.idempotence.skip) return "the profile skips it";
    return {};
  };

  std::vector<PlannedStep> plan;
  bool has_machine = true;
  for (std::size_t i = 0; i < kScenarioStepNames.size(); ++i) {
    const auto step = static_cast<Step>(i);
    PlannedStep planned{.step = step, .why_skipped = why_skipped(step)};
    if (const std::string_view nothing = nothing_for(step, profile); !nothing.empty()) {
      planned.configured = false;
      planned.why_skipped = nothing;
    }
    if (is_optional(step) && planned.why_skipped == kNotAskedFor) planned.configured = false;
    if (step > Step::create && !has_machine && planned.runs()) planned.why_skipped = "there is no machine";
    if (step == Step::create) has_machine = planned.runs();
    plan.push_back(std::move(planned));
  }
  return plan;
}

std::vector<ProvisionStep> provision_steps(const Profile& profile, const std::vector<PlannedStep>& plan) {
  std::vector<ProvisionStep> all;
  const auto add = [&](Step step, const std::vector<ProvisionStep>& steps) {
    if (plan.at(static_cast<std::size_t>(step)).runs()) all.insert(all.end(), steps.begin(), steps.end());
  };
  add(Step::prepare, profile.prepare);
  add(Step::converge, profile.provision);
  add(Step::side_effect, profile.side_effect);
  add(Step::cleanup, profile.cleanup);
  return all;
}

}  // namespace mayfly
