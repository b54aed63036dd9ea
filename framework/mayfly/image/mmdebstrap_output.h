#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "mayfly/support/error.h"

// Internal to the module: reading what mmdebstrap(1) and its apt print.
namespace mayfly {

/// The stage of the build that a line of output begins, in words for people; nothing for all other lines.
[[nodiscard]] std::optional<std::string> stage_of(std::string_view line);

/// Whether the place where it built was full.
[[nodiscard]] bool says_no_space(std::string_view output);

/// One clear error out of the output of a failed build: the decisive lines, and what to do.
/// ```
/// image debian bookworm (+1 package): the archive has no package 'ngninx'
/// image debian bokworm: 'http://mirror.example/debian' has no suite 'bokworm'
/// ```
/// @param what "image debian bookworm"
[[nodiscard]] Error mmdebstrap_error(std::string_view what, std::string_view output);

}  // namespace mayfly
