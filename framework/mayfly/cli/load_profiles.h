#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mayfly/profile/profile.h"
#include "mayfly/scenario/plan.h"
#include "mayfly/support/error.h"

namespace mayfly {

/// Several profiles that can't be read; what() is all that is wrong with them.
class ProfilesError : public Error {
  using Error::Error;
};

/// @throws ProfileError; UsageError for a file that isn't there: a mistake on the command line
[[nodiscard]] Profile load_named_profile(const std::filesystem::path& file);

/// All of them, or all that is wrong with them.
/// @throws ProfilesError, or what load_named_profile() throws when just one is wrong
[[nodiscard]] std::vector<Profile> load_profiles(const std::vector<std::filesystem::path>& files);

/// Reads the secrets of all steps that will run, for their errors: they are told, with their places, before anything
/// runs.
/// @throws ProfileError, ProfilesError
void require_secrets(const std::vector<Profile>& profiles, const StepSelection& selection = {});

}  // namespace mayfly
