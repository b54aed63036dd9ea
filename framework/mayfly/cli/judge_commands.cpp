// mayfly coverage, mayfly mutate: how well profiles and their checks try a manifest.
#include <fmt/format.h>

#include <set>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/exit_code.h"
#include "mayfly/cli/guarded_session.h"
#include "mayfly/cli/load_profiles.h"
#include "mayfly/judge/coverage.h"
#include "mayfly/judge/mutation.h"
#include "mayfly/provision/puppet_inventory.h"
#include "mayfly/scenario/matrix.h"

namespace mayfly {
namespace {

std::vector<Profile> expanded(const std::vector<std::filesystem::path>& files) {
  std::vector<Profile> all;
  const std::vector<Profile> profiles = load_profiles(files);
  require_secrets(profiles, {.steps = {ScenarioStep::converge}});
  for (const Profile& profile : profiles) {
    std::vector<Profile> cells = expand_matrix(profile);
    std::move(cells.begin(), cells.end(), std::back_inserter(all));
  }
  return all;
}

void add_manifest_directories(const Profile& profile, std::set<std::filesystem::path>& directories) {
  for (const ProvisionStep& step : profile.provision) {
    if (const auto* ansible = std::get_if<AnsibleStep>(&step.action)) {
      directories.insert(ansible->playbook.parent_path());
    } else if (const auto* puppet = std::get_if<PuppetStep>(&step.action)) {
      for (std::filesystem::path& directory : puppet_own_directories(*puppet)) {
        directories.insert(std::move(directory));
      }
    }
  }
}

/// Console::line() ends it.
std::string last_newline_off(std::string text) {
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

int verdict(std::size_t share, unsigned least, std::string_view what) {
  if (share >= least) {
    return kExitOk;
  }
  fmt::print(stderr, "mayfly: {} % {}, --min wants {} %\n", share, what, least);
  return kExitFailed;
}

std::size_t percent(std::size_t part, std::size_t whole) { return whole == 0 ? 100 : part * 100 / whole; }

}  // namespace

int coverage_command(const JudgeArguments& arguments, const Console& console) {
  SessionGuard guard;
  std::vector<ConvergeResult> converges;
  std::set<std::filesystem::path> directories;
  for (const Profile& profile : expanded(arguments.profiles)) {
    converges.push_back(guard.use({}, [&](Session& session) { return session.converged(profile).first.reported; }));
    add_manifest_directories(profile, directories);
  }
  guard.wait_if_interrupted();
  const ManifestCoverage coverage = cover(converges, {directories.begin(), directories.end()});
  console.line(last_newline_off(render(coverage)));
  return verdict(percent(coverage.covered(), coverage.items.size()), arguments.least, "of the manifest ran");
}

int mutate_command(const JudgeArguments& arguments, const Console& console) {
  SessionGuard guard;
  std::size_t all = 0;
  std::size_t noticed = 0;
  bool all_hold = true;
  for (const Profile& profile : expanded(arguments.profiles)) {
    console.line(profile.name);
    const MutationOptions options{.jobs = arguments.jobs, .on_mutant = [&](const Mutant& mutant) {
                                    console.line(last_newline_off(render(mutant)));
                                  }};
    const SessionOptions quiet{.provision_output = [](std::string_view) {}};
    const MutationReport report = guard.use(quiet, [&](Session& session) { return mutate(session, profile, options); });
    if (const std::string untried = render_untried(report); !untried.empty()) {
      console.line(last_newline_off(untried));
    }
    all_hold = all_hold && report.failing.empty();
    all += report.mutants.size();
    noticed += report.noticed();
  }
  guard.wait_if_interrupted();
  if (!all_hold && all == 0) {
    return kExitFailed;
  }
  console.line(fmt::format("{} of {} mutants were noticed ({} %)", noticed, all, percent(noticed, all)));
  const int code = verdict(percent(noticed, all), arguments.least, "of the mutants were noticed");
  return all_hold ? code : kExitFailed;
}

}  // namespace mayfly
