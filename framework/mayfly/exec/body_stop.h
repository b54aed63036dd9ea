#pragma once

namespace mayfly {

// A body's side of body_debugger.h.

/// How a body can wait for its caller.
struct BodyStop {
  int go_on = -1;     ///< eventfd, above stdio, which lets it go on; -1: it never waits
  bool stop = false;  ///< see BodyDebugging
};

/// @param channel where it says that it waits
void arm_body_stop(const BodyStop& stop, int channel) noexcept;
/// In the caller, once a body that shared its memory has ended.
void disarm_body_stop() noexcept;

/// In a signal handler, after the crash has been told: waits until the caller has looked.
void wait_after_crash() noexcept;

}  // namespace mayfly
