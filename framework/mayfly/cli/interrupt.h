#pragma once

#include <functional>
#include <memory>

namespace mayfly {

/// While it lives, SIGINT, SIGTERM and SIGHUP run `tear_down` once, on a thread of its own, and then end the process
/// with 128 + the signal's number. A second signal ends it at once: the keeper undoes the rest.
///
/// Uses handlers, not a blocked mask, because programs that are started meanwhile would inherit the mask. One at a time
/// in a process, since signal handlers are the process's.
class InterruptGuard {
 public:
  explicit InterruptGuard(std::function<void()> tear_down);
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

  /// With true, SIGINT does nothing: a program on the same terminal gets it and decides.
  void leave_interrupts_to_child(bool leave);

  /// Blocks for ever when a signal is being handled, so that the error which tear_down causes in the caller isn't
  /// reported as a failure.
  void wait_if_interrupted() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mayfly
