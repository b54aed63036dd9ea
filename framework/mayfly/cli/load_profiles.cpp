#include "mayfly/cli/load_profiles.h"

#include <fmt/format.h>

#include <exception>

#include "mayfly/cli/usage_error.h"
#include "mayfly/profile/diagnostic.h"

namespace mayfly {

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

}  // namespace mayfly
