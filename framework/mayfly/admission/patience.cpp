#include "mayfly/admission/patience.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

namespace mayfly {

bool Patience::wait(std::string_view why) {
  if (deadline_.passed()) return false;
  if (std::chrono::steady_clock::now() >= next_word_) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(waited()).count();
    progress_(fmt::format("waits for {} ({}s)", why, seconds));
    next_word_ = std::chrono::steady_clock::now() + std::chrono::seconds(spoke_ ? 30 : 9);
    spoke_ = true;
  }
  constexpr Milliseconds kAskAgain{100};
  static_cast<void>(::poll(nullptr, 0, static_cast<int>(std::min(kAskAgain, deadline_.left()).count())));
  return true;
}

Milliseconds Patience::waited() const {
  return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin_);
}

}  // namespace mayfly
