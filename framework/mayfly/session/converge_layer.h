#pragma once

#include <string>

#include "mayfly/image/image.h"
#include "mayfly/profile/profile.h"
#include "mayfly/session/init_choice.h"
#include "mayfly/support/paths.h"

namespace mayfly {

/// The key of the layer that a profile's provision steps make on an image: a hash of every input that the converged
/// machine depends on. Limits and checks are no inputs.
[[nodiscard]] std::string converge_key(const Profile& profile, const Image& image, const InitChoice& init);

/// For people: what the layer was made from; stored beside it as recipe.json.
[[nodiscard]] std::string converge_recipe(const Profile& profile, const Image& image, const Paths& paths,
                                          std::string_view key);

}  // namespace mayfly
