#include "mayfly/report/plain_text.h"

#include <array>
#include <cstdint>

namespace mayfly {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// The length of the UTF-8 sequence at the start of `bytes`, 0 when there is none that XML 1.0 allows (its Char
/// production: no surrogates, no U+FFFE, no U+FFFF).
std::size_t sequence_length(std::string_view bytes) {
  const auto byte = [&](std::size_t index) { return static_cast<std::uint8_t>(bytes[index]); };
  const std::uint8_t lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || bytes.size() < length) {
    return 0;
  }
  constexpr std::array<std::uint8_t, 5> kLeadMask{0, 0x7F, 0x1F, 0x0F, 0x07};
  std::uint32_t code = lead & kLeadMask[length];
  for (std::size_t index = 1; index < length; ++index) {
    if ((byte(index) & 0xC0) != 0x80) {
      return 0;
    }
    code = (code << 6) | (byte(index) & 0x3Fu);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool allowed = code >= kSmallest[length] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) &&
                       code != 0xFFFE && code != 0xFFFF;
  return allowed ? length : 0;
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
