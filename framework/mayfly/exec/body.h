#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/support/error.h"
#include "mayfly/support/units.h"

namespace mayfly {

// Bodies: code of the calling program itself that is run in a container, in its namespaces, control groups and user,
// with its capabilities, limits and system call filter.

/// How the caller's memory comes into the container.
enum class BodyEngine {
  /// fork(2): the body has a copy. What it changes is gone with it; what it breaks is its own.
  fork,
  /// clone(2) with CLONE_VM: the body works in the caller's memory, while the calling thread waits. A few times faster,
  /// however large the caller is, and what it changes stays. But so does what it breaks: after a crash or a deadline
  /// the caller may find a lock that nobody releases, or a heap in disorder. Not in a program with AddressSanitizer or
  /// ThreadSanitizer, where `fork` is taken.
  shared_memory,
};

/// Defaults: root, `/`, the clean environment of ExecOptions, a minute.
struct BodyOptions {
  std::map<std::string, std::string> env{};  ///< added to the clean environment
  std::string cwd{};                         ///< empty: `/`, or the user's home when `user` is set
  std::string user{};                        ///< name or number, from the container's own /etc/passwd; empty: root
  Milliseconds timeout{60'000};              ///< then the body is killed, with all that it has started
  BodyEngine engine = BodyEngine::fork;
};

/// A body's way back to its caller, which outlives a crash.
class BodyChannel {
 public:
  explicit BodyChannel(int fd) : fd_(fd) {}
  /// For BodyReporter::arrived().
  void report(std::string_view text) const;
  /// Bytes that become BodyEnd::value.
  void value(std::string_view bytes) const;

 private:
  int fd_;
};

/// How a body ended.
struct BodyEnd {
  enum class How {
    returned,
    exception,  ///< one that nobody caught
    exited,     ///< exit(3), _exit(2)
    killed,     ///< by a signal
    timed_out,  ///< the deadline
  };
  How how = How::returned;
  int code = 0;             ///< exit status, or the number of the signal
  std::string exception{};  ///< "std::runtime_error: no such user"
  std::string backtrace{};  ///< a line a frame, innermost first; empty when there is none
  std::string report{};     ///< AddressSanitizer's, which has ended it, or ThreadSanitizer's, which hasn't
  std::string saved{};      ///< which files explain more, a line each; see body_debugging.h
  std::optional<std::string> value{};
  std::string out{}, err{};  ///< what it wrote to standard output and error
  Milliseconds duration{0};
};

/// "was killed by SIGSEGV (Segmentation fault)" and what is known besides, on lines of their own; empty when it
/// returned.
[[nodiscard]] std::string describe(const BodyEnd& end);

/// A body that hasn't returned.
class BodyError : public Error {
  using Error::Error;
};

/// What a test framework does around a body. One a program, see set_body_reporter().
class BodyReporter {
 public:
  virtual ~BodyReporter() = default;
  /// In the container, before and after a body of BodyEngine::fork; after only when it has returned.
  virtual void enter(const BodyChannel& channel) = 0;
  virtual void leave(const BodyChannel& channel) = 0;
  /// In the caller, once the body has ended: what was reported, in its order.
  virtual void arrived(std::string_view report) = 0;
  /// In the caller: the body hasn't returned.
  virtual void failed(const BodyEnd& end, const char* file, int line) = 0;
};

/// @param reporter lives as long as the program
void set_body_reporter(BodyReporter* reporter) noexcept;
[[nodiscard]] BodyReporter* body_reporter() noexcept;

/// Runs a body in the container and waits for its end. Its output is passed on to the caller's as it comes.
///
/// What can't work in it: other threads of the caller (there are none in a copy, and in shared memory they stay where
/// they are); what libc loads from the container's file system (NSS modules, locales, iconv), which may be another
/// libc's.
/// @throws StoppedError; Error when the user doesn't exist, SystemError naming the step that failed
[[nodiscard]] BodyEnd run_body(const Target& target, const std::function<void(const BodyChannel&)>& body,
                               const BodyOptions& options = {});

}  // namespace mayfly
