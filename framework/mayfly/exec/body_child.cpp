#include "mayfly/exec/body_child.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <typeinfo>

#include "mayfly/exec/body_crash.h"
#include "mayfly/exec/sanitizers.h"

namespace mayfly {
void write_record(int fd, char kind, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::string record(reinterpret_cast<const char*>(&size), sizeof size);
  record += kind;
  record += bytes;
  for (std::string_view left = record; !left.empty();) {
    const ssize_t written = ::write(fd, left.data(), left.size());
    if (written < 0 && errno != EINTR) {
      return;  // nobody listens any more
    }
    left.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
}

namespace {

/// What exit(3) runs first in a body: the caller's handlers and static objects aren't the body's.
///
/// It has to be the last that was registered, and gone when the body is, so it belongs to a "shared object" of its own,
/// whose handlers __cxa_finalize() takes back. Only on_exit(3) tells the status; registered during exit(3), that is run
/// next.
struct ExitTrap {
  static inline char object = 0;
  static inline pid_t body = -1;
  static void set() {
    body = ::getpid();
    abi::__cxa_atexit([](void*) { static_cast<void>(!is_in_body() || ::on_exit(sprung, nullptr) != 0); }, nullptr,
                      &object);
  }
  static void unset() {
    body = -1;
    abi::__cxa_finalize(&object);
  }
  // A body's parent isn't in its pid namespace.
  static bool is_in_body() { return ::getpid() == body && ::getppid() == 0; }
  static void sprung(int status, void*) {
    std::fflush(nullptr);
    child_exit(status);
  }
};

/// What escapes nevertheless must not go on in the caller's code: that ends the body.
void call_guarded(const BodyChild& child) noexcept {
  const BodyChannel channel(child.channel);
  bool returned = false;
  try {
    if (child.reporter != nullptr) child.reporter->enter(channel);
    (*child.body)(channel);
    returned = true;
  } catch (const std::exception& error) {
    write_record(child.channel, body_record::kException,
                 fmt::format("{}: {}", demangled(typeid(error).name()), error.what()));
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    write_record(child.channel, body_record::kException,
                 type == nullptr ? "of a foreign type" : demangled(type->name()));
  }
  if (child.reporter != nullptr) child.reporter->leave(channel);
  std::fflush(nullptr);
  const unsigned races = reported_races();
  if (races > 0) write_record(child.channel, body_record::kRaces, std::to_string(races));
  if (returned && races == 0) write_record(child.channel, body_record::kReturned, {});
}

}  // namespace

void be_body(BodyChild& child) noexcept {
  entry_enter(child.entry, CLONE_NEWPID);
  entry_take_on(child.entry);
  environ = child.environment;
  install_crash_handler(child.channel, body_record::kCrash);
  tell_reports(child.channel, body_record::kSanitizer);
  arm_body_stop(child.stop, child.channel);
  ExitTrap::set();
  const std::uint64_t no_signals = 0;
  child_call(SYS_rt_sigprocmask, SIG_SETMASK, as_word(&no_signals), 0, sizeof no_signals);
  call_guarded(child);
  child_exit(0);
}

int* find_believed_thread_id() {
  // What libthread_db(3) asks for: size in bits, count, offset.
  const auto* field = static_cast<const std::uint32_t*>(::dlsym(RTLD_DEFAULT, "_thread_db_pthread_tid"));
  if (field == nullptr || field[0] != 8 * sizeof(int)) {
    return nullptr;
  }
  // NOLINTNEXTLINE(performance-no-int-to-ptr): it is one
  auto* id = reinterpret_cast<int*>(reinterpret_cast<char*>(::pthread_self()) + field[2]);
  return *id == ::gettid() ? id : nullptr;
}

void be_body_in_shared_memory(void* argument) {
  // A backtrace ends here: whoever made this stack is on another.
#if defined(__x86_64__)
  asm volatile(".cfi_undefined rip");
#elif defined(__aarch64__)
  asm volatile(".cfi_undefined x30");
#endif
  BodyChild& child = *static_cast<BodyChild*>(argument);
  reset_signal_handlers();
  if (child.believed_thread_id != nullptr) {
    *child.believed_thread_id = static_cast<int>(child_call(SYS_gettid));
  }
  be_body(child);
}

void forget_body() noexcept {
  ExitTrap::unset();
  disarm_body_stop();
}

void BodyChannel::report(std::string_view text) const { write_record(fd_, body_record::kReport, text); }
void BodyChannel::value(std::string_view bytes) const { write_record(fd_, body_record::kValue, bytes); }

}  // namespace mayfly
