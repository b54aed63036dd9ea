#pragma once

#include <algorithm>
#include <chrono>

#include "mayfly/support/units.h"

namespace mayfly {

/// A point in time on the steady clock by which something has to be done.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  static Deadline after(Milliseconds duration) { return Deadline(Clock::now() + duration); }
  /// Practically never: a day.
  static Deadline never() { return after(std::chrono::hours(24)); }

  [[nodiscard]] bool passed() const { return Clock::now() >= end_; }
  /// What is left, never negative, rounded up: fit for poll(2), which must not return early and spin.
  [[nodiscard]] Milliseconds left() const {
    return std::max(Milliseconds(0), std::chrono::ceil<Milliseconds>(end_ - Clock::now()));
  }
  [[nodiscard]] int poll_timeout() const { return static_cast<int>(left().count()); }

 private:
  explicit Deadline(Clock::time_point end) : end_(end) {}
  Clock::time_point end_;
};

}  // namespace mayfly
