#include "mayfly/cli/load_profiles.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "mayfly/cli/usage_error.h"
#include "mayfly/profile/diagnostic.h"
#include "mayfly/profile/secret_place.h"
#include "mayfly/provision/secrets.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

void require_secrets(const Profile& profile, const std::vector<ProvisionStep>& steps) {
  if (steps.empty()) return;
  const std::string text = read_file(profile.file);
  std::vector<Diagnostic> diagnostics;
  for (const ProvisionStep& step : steps) {
    for (const auto& [name, source] : step.secrets) {
      try {
        static_cast<void>(read_secrets({{name, source}}));
      } catch (const Error& error) {
        Diagnostic diagnostic = place_of_secret(text, name, source);
        diagnostic.message = error.message();
        diagnostic.hint = error.hint();
        diagnostics.push_back(std::move(diagnostic));
      }
    }
  }
  if (!diagnostics.empty()) throw ProfileError(profile.file.string(), text, std::move(diagnostics));
}

}  // namespace

Profile load_named_profile(const std::filesystem::path& file) {
  try {
    Profile profile = load_profile(file);
    // Read for its errors: they are told before anything runs.
    if (!profile.scenario.upgrade_from.empty()) static_cast<void>(load_profile(profile.scenario.upgrade_from));
    return profile;
  } catch (const SystemError& error) {
    UsageError wrong(error.message());
    wrong.set_hint("name the profile's TOML file, for example web.toml");
    throw wrong;
  }
}

std::vector<Profile> load_profiles(const std::vector<std::filesystem::path>& files) {
  std::vector<Profile> profiles;
  std::vector<std::exception_ptr> failures;
  std::string texts;
  for (const std::filesystem::path& file : files) {
    try {
      profiles.push_back(load_named_profile(file));
    } catch (const ProfileError& error) {
      failures.push_back(std::current_exception());
      texts += fmt::format("{}{}", texts.empty() ? "" : "\n", error.what());
    } catch (const UsageError& error) {
      failures.push_back(std::current_exception());
      texts += fmt::format("{}mayfly: error: {}", texts.empty() ? "" : "\n", error.what());
    }
  }
  if (failures.size() == 1) std::rethrow_exception(failures.front());
  if (!failures.empty()) throw ProfilesError(texts);
  return profiles;
}

void require_secrets(const std::vector<Profile>& profiles, const StepSelection& selection) {
  std::vector<ProfileError> failures;
  const auto require = [&](const Profile& profile, const StepSelection& steps) {
    try {
      require_secrets(profile, provision_steps(profile, plan_steps(profile, steps)));
    } catch (const ProfileError& error) {
      failures.push_back(error);
    }
  };
  for (const Profile& profile : profiles) {
    require(profile, selection);
    if (plan_steps(profile, selection).at(static_cast<std::size_t>(ScenarioStep::upgrade)).runs()) {
      require(load_profile(profile.scenario.upgrade_from), {.steps = {ScenarioStep::converge}});
    }
  }
  if (failures.size() == 1) throw ProfileError(failures.front());
  std::string texts;
  for (const ProfileError& error : failures) texts += fmt::format("{}{}", texts.empty() ? "" : "\n", error.what());
  if (!texts.empty()) throw ProfilesError(texts);
}

}  // namespace mayfly
