#pragma once

#include <functional>
#include <string_view>

#include "mayfly/exec/body.h"
#include "mayfly/exec/body_stop.h"
#include "mayfly/exec/entry.h"

namespace mayfly {

// A body's side of body.cpp: what its process does from its birth to its end.

// What the channel carries: records of a size (32 bits), a tag and so many bytes.
namespace body_record {
inline constexpr char kReport = 'R';
inline constexpr char kValue = 'V';
inline constexpr char kReturned = 'D';
inline constexpr char kException = 'X';
inline constexpr char kCrash = 'C';
inline constexpr char kSanitizer = 'S';
inline constexpr char kRaces = 'T';        ///< in place of kReturned; how many
inline constexpr char kStopped = 'P';      ///< waits to be looked at, and says why
inline constexpr char kInterrupted = 'I';  ///< while it waits: by a debugger
inline constexpr char kWentOn = 'W';
}  // namespace body_record

void write_record(int fd, char kind, std::string_view bytes);

/// What a body child works with.
struct BodyChild {
  Entry entry;
  const std::function<void(const BodyChannel&)>* body = nullptr;
  int channel = -1;
  BodyReporter* reporter = nullptr;
  char** environment = nullptr;
  BodyStop stop{};
  int pid = 0;                        ///< in the caller's pid namespace
  int* believed_thread_id = nullptr;  ///< see find_believed_thread_id()
};

/// The rest of the way, in the container's pid namespace, and the body. Nothing escapes: whatever does ends the
/// process.
[[noreturn]] void be_body(BodyChild& child) noexcept;

/// The same as the start of a process that shares the caller's memory. @param child a BodyChild
void be_body_in_shared_memory(void* child);

/// Where libc keeps the number of the calling thread, which abort(3) and raise(3) send their signal to: in a body that
/// shares memory it is another. Null where it can't be found.
[[nodiscard]] int* find_believed_thread_id();

/// In the caller, once a body that shared its memory has ended: exit(3) is the caller's again.
void forget_body() noexcept;

}  // namespace mayfly
