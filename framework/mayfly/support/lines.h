#pragma once

#include <string_view>
#include <vector>

namespace mayfly {

/// The lines of a text, without their '\n'; one that the text ends with begins no further line. They refer to `text`.
[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);

}  // namespace mayfly
