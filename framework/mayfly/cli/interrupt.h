#pragma once

#include <functional>
#include <memory>

namespace mayfly {

/// While it lives, SIGINT, SIGTERM and SIGHUP run `tear_down` once, on a thread of its own, and then end the process
/// with 128 + the signal's number. A second signal, a second or more after the first, ends it at once: the keeper
/// undoes the rest. Either way a line on standard error says "interrupted".
///
/// Uses handlers, not a blocked mask, because programs that are started meanwhile would inherit the mask. One at a time
/// in a process, since signal handlers are the process's.
class InterruptGuard {
 public:
  /// @param farewell called after `tear_down`, when what was interrupted has unwound or is stuck; before the process
  /// ends
  explicit InterruptGuard(
      std::function<void()> tear_down, std::function<void()> farewell = [] {});
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

  /// Whether a signal is being handled: what fails now fails because of it.
  [[nodiscard]] bool interrupted() const noexcept;

  /// Blocks for ever when a signal is being handled, so that the error which tear_down causes in the caller isn't
  /// reported as a failure. To be called by the thread that unwinds last.
  void wait_if_interrupted() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mayfly
