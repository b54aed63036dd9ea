#pragma once

#include <string_view>

namespace mayfly {

/// Without white space at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// The last line that isn't blank, trimmed.
[[nodiscard]] std::string_view last_line(std::string_view text);

/// What stands between two marks; empty when either is missing.
[[nodiscard]] std::string_view between(std::string_view text, std::string_view before, std::string_view after);

}  // namespace mayfly
