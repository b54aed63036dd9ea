#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "mayfly/support/log.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// Shows that something long is alive: says each new stage at once, and the current one again every few seconds, with
/// the seconds since the beginning: "debian bookworm: unpacking (12s)". The Progress is called by one thread at a time.
class Ticker {
 public:
  /// @param subject what each line begins with, e.g. "debian bookworm"
  /// @param progress must outlive the ticker
  Ticker(std::string subject, const Progress& progress, Milliseconds interval = Milliseconds(3000));
  Ticker(Ticker&&) = delete;
  Ticker& operator=(Ticker&&) = delete;
  ~Ticker();

  /// @param stage may be empty: then the subject says it all
  void stage(std::string stage);

 private:
  void say();
  void repeat(const std::stop_token& stop);

  const std::string subject_;
  const Progress& progress_;
  const Milliseconds interval_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::string stage_;
  bool started_ = false;
  std::chrono::steady_clock::time_point said_ = start_;
  std::jthread thread_;
};

}  // namespace mayfly
