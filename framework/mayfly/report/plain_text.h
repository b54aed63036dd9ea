#pragma once

#include <string>
#include <string_view>

namespace mayfly {

/// Makes any bytes text that every format can hold: terminal escape sequences (colours) are left out; control
/// characters other than line breaks and tabs, bytes that are no UTF-8, and what XML 1.0 forbids become U+FFFD.
[[nodiscard]] std::string plain_text(std::string_view bytes);

}  // namespace mayfly
