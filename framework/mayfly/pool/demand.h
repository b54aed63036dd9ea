#pragma once

#include <chrono>

#include "mayfly/pool/host_load.h"

namespace mayfly {

/// How many containers of one kind a pool keeps ready: a value that learns from what is asked for. It knows no clock
/// and no host; both are told.
///
/// The first who asks is served by nobody, and one container is kept ready from then on. Each time when somebody asks
/// and none is ready, twice as many are wanted, up to two a processor, or as many as have been in use at once.
class PoolDemand {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Somebody has asked. @param served whether one was ready @param in_use how many were in use before
  void asked(Time now, bool served, unsigned in_use);
  /// One could not be started. The next is tried after half a second, then after a whole one, up to half a minute.
  void failed(Time now);
  /// One has become ready.
  void became_ready() noexcept { failures_ = 0; }

  /// How many should be ready or on their way now.
  [[nodiscard]] unsigned stock(Headroom headroom, unsigned processors, Time now) const;
  /// Nobody has asked for half a minute: nothing is kept ready any more.
  [[nodiscard]] bool forgotten(Time now) const { return now - last_ >= kMemory; }

  static constexpr std::chrono::seconds kMemory{30};

 private:
  unsigned wanted_ = 0;
  unsigned most_in_use_ = 0;
  unsigned failures_ = 0;
  Time last_{};
  Time not_before_{};
};

}  // namespace mayfly
