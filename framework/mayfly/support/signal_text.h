#pragma once

#include <string>

namespace mayfly {

/// "SIGSEGV (Segmentation fault)"
[[nodiscard]] std::string signal_text(int number);

}  // namespace mayfly
