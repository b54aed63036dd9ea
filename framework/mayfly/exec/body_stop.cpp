#include "mayfly/exec/body_stop.h"

#include <unistd.h>

#include <cstdint>

#include "mayfly/exec/body_child.h"
#include "mayfly/exec/body_debugging.h"
#include "mayfly/exec/debug_wait.h"
#include "mayfly/exec/gdb.h"

namespace mayfly {
namespace {

struct Armed {
  BodyStop stop{};
  int channel = -1;
  pid_t body = -1;
};
Armed armed;

/// A record without content; in signal handlers, too.
void tell(char kind) noexcept {
  const char record[sizeof(std::uint32_t) + 1] = {0, 0, 0, 0, kind};
  static_cast<void>(!::write(armed.channel, record, sizeof record));
}

void wait_for_caller(int timeout_ms) noexcept {
  GoOn how = GoOn::interrupted;
  while (how == GoOn::interrupted) {
    how = wait_to_go_on(armed.stop.go_on, -1, timeout_ms);
    // Whether the debugger is still there is for the caller to see: it is in no pid namespace of the body's.
    tell(how == GoOn::interrupted ? body_record::kInterrupted : body_record::kWentOn);
  }
}

}  // namespace

void arm_body_stop(const BodyStop& stop, int channel) noexcept {
  armed = {.stop = stop, .channel = channel, .body = ::getpid()};
}

void disarm_body_stop() noexcept { armed = {}; }

bool stop_body(std::string_view why) {
  if (!armed.stop.stop || armed.stop.go_on < 0 || armed.body != ::getpid()) {
    return false;
  }
  forget_go_on(armed.stop.go_on);
  write_record(armed.channel, body_record::kStopped, why);
  wait_for_caller(-1);
  return true;
}

void wait_after_crash() noexcept {
  if (armed.stop.go_on < 0) return;
  // With a bound, though the caller always answers: nobody else ends a body that waits here.
  constexpr auto kBound = static_cast<int>((kGdbTime + Milliseconds(5'000)).count());
  wait_for_caller(armed.stop.stop ? -1 : kBound);
}

}  // namespace mayfly
