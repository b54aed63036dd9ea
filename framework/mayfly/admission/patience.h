#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "mayfly/support/deadline.h"
#include "mayfly/support/log.h"

namespace mayfly {

/// Asks again and again until the answer is that nothing is in the way, ten times a second: what is waited for (another
/// process's lock, memory of the host) has no event that could be waited for together with a deadline. Says through
/// `progress` what it waits for after a second, ten seconds, and every half minute.
class Patience {
 public:
  Patience(const Progress& progress, Milliseconds limit) : progress_(progress), deadline_(Deadline::after(limit)) {}

  /// Waits for the next time to ask.
  /// @param why what is in the way
  /// @return false when the limit has passed
  [[nodiscard]] bool wait(std::string_view why);

  /// Whether it has said anything.
  [[nodiscard]] bool spoke() const noexcept { return spoke_; }
  [[nodiscard]] Milliseconds waited() const;

 private:
  const Progress& progress_;
  Deadline deadline_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point next_word_ = begin_ + std::chrono::seconds(1);
  bool spoke_ = false;
};

}  // namespace mayfly
