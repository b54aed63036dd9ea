#include "mayfly/support/signal_text.h"

#include <fmt/format.h>

#include <cstring>

namespace mayfly {

std::string signal_text(int number) {
  const char* const name = ::sigabbrev_np(number);
  return name == nullptr ? fmt::format("signal {}", number) : fmt::format("SIG{} ({})", name, ::sigdescr_np(number));
}

}  // namespace mayfly
