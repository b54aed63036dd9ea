#pragma once

#include <string_view>

#include "mayfly/profile/diagnostic.h"
#include "mayfly/profile/profile.h"

namespace mayfly {

/// A diagnostic without a message at the place where the text of a profile names this secret: the first one, if several
/// steps do. The text's beginning, if none does.
[[nodiscard]] Diagnostic place_of_secret(std::string_view toml, std::string_view name, const SecretSource& source);

}  // namespace mayfly
