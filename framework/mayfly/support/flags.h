#pragma once

#include <string_view>

namespace mayfly {

/// What a flag's text says, as gtest has it: all but "0" and what begins with f or F is true.
[[nodiscard]] bool truth_of(std::string_view text);

/// The same of a variable of the environment.
/// @param otherwise where it isn't set, or is empty
[[nodiscard]] bool environment_flag(const char* variable, bool otherwise);

}  // namespace mayfly
