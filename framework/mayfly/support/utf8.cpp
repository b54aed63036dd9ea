#include "mayfly/support/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace mayfly {

Utf8Character first_character(std::string_view bytes) {
  const auto byte = [&](std::size_t index) { return static_cast<std::uint8_t>(bytes[index]); };
  const std::uint8_t lead = bytes.empty() ? 0xFF : byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || bytes.size() < length) {
    return {};
  }
  constexpr std::array<std::uint8_t, 5> kLeadMask{0, 0x7F, 0x1F, 0x0F, 0x07};
  std::uint32_t code = lead & kLeadMask[length];
  for (std::size_t index = 1; index < length; ++index) {
    if ((byte(index) & 0xC0) != 0x80) {
      return {};
    }
    code = (code << 6) | (byte(index) & 0x3Fu);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool valid = code >= kSmallest[length] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  return valid ? Utf8Character{length, code} : Utf8Character{};
}

std::string printable(std::string_view bytes, bool keep_lines) {
  std::string text;
  while (!bytes.empty()) {
    const Utf8Character character = first_character(bytes);
    const bool control = character.code < 0x20 || (character.code >= 0x7F && character.code < 0xA0);
    const bool kept = bytes[0] == '\t' || (keep_lines && bytes[0] == '\n');
    const std::size_t length = std::max<std::size_t>(character.length, 1);
    if (character.length == 0 || (control && !kept)) {
      for (const char byte : bytes.substr(0, length))
        text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length);
  }
  return text;
}

}  // namespace mayfly
