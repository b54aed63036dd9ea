#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mayfly {

/// A character at the start of some bytes.
struct Utf8Character {
  std::size_t length = 0;  ///< in bytes; 0 when they don't begin with valid UTF-8
  std::uint32_t code = 0;
};

/// Decodes the first character. Overlong forms, surrogates and codes past U+10FFFF are invalid.
[[nodiscard]] Utf8Character first_character(std::string_view bytes);

/// Makes a container's bytes fit for a terminal: control characters other than tabs, and what is no UTF-8, are shown as
/// `\x1b`.
/// @param keep_lines leaves line breaks as they are
[[nodiscard]] std::string printable(std::string_view bytes, bool keep_lines = false);

}  // namespace mayfly
