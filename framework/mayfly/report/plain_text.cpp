#include "mayfly/report/plain_text.h"

#include <cstdint>

#include "mayfly/support/utf8.h"

namespace mayfly {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// The length of the UTF-8 sequence at the start of `bytes`, 0 when there is none that XML 1.0 allows (its Char
/// production: no U+FFFE, no U+FFFF).
std::size_t sequence_length(std::string_view bytes) {
  const Utf8Character character = first_character(bytes);
  return character.code == 0xFFFE || character.code == 0xFFFF ? 0 : character.length;
}

/// The control characters that XML 1.0 has no way to write.
bool is_forbidden(char c) { return static_cast<std::uint8_t>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r'; }

/// The length of the ECMA-48 control sequence ("\x1b[31m") at the start of `bytes`, 0 when there is none.
std::size_t escape_length(std::string_view bytes) {
  if (!bytes.starts_with("\x1b[")) {
    return 0;
  }
  const std::size_t end = bytes.find_first_not_of("0123456789;:<=>? !\"#$%&'()*+,-./", 2);
  return end != std::string_view::npos && bytes[end] >= '@' && bytes[end] <= '~' ? end + 1 : 0;
}

}  // namespace

std::string plain_text(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    if (const std::size_t escape = escape_length(bytes.substr(at)); escape != 0) {
      at += escape;
      continue;
    }
    const std::size_t length = sequence_length(bytes.substr(at));
    if (length == 0 || (length == 1 && is_forbidden(bytes[at]))) {
      text += kReplacement;
    } else {
      text += bytes.substr(at, length);
    }
    at += length == 0 ? 1 : length;
  }
  return text;
}

}  // namespace mayfly
