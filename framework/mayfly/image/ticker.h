#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "mayfly/support/log.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// Shows that something long is alive: says each new stage at once, and the current one again with the seconds since
/// the beginning: "debian bookworm: unpacking (12s)". On a terminal every few seconds; where the lines stay, in a log,
/// after growing times, and one that only waits (without a stage) once. The Progress is called by one thread at a time.
class Ticker {
 public:
  /// @param subject what each line begins with, e.g. "debian bookworm"
  /// @param progress must outlive the ticker
  /// @param interval until the first repetition
  /// @param lines_stay nobody draws over them: standard error is no terminal
  Ticker(std::string subject, const Progress& progress, Milliseconds interval = Milliseconds(3000),
         bool lines_stay = !is_terminal());
  Ticker(Ticker&&) = delete;
  Ticker& operator=(Ticker&&) = delete;
  ~Ticker();

  /// @param stage may be empty: then the subject says it all
  void stage(std::string stage);

  /// What follows an interval where lines stay: three times as long, at most a minute.
  [[nodiscard]] static Milliseconds longer(Milliseconds interval);

 private:
  static bool is_terminal();
  void say();
  void repeat(const std::stop_token& stop);

  const std::string subject_;
  const Progress& progress_;
  Milliseconds interval_;
  const bool lines_stay_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::string stage_;
  bool started_ = false;
  std::chrono::steady_clock::time_point said_ = start_;
  std::jthread thread_;
};

}  // namespace mayfly
