#include "mayfly/exec/sanitizers.h"

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <iterator>

// The runtimes' own interfaces (sanitizer/asan_interface.h), which are there when the program was linked with one.
// NOLINTBEGIN(bugprone-reserved-identifier): theirs, as the implementation's
extern "C" {
[[gnu::weak]] void __asan_init();
[[gnu::weak]] void __tsan_init();
[[gnu::weak]] void __asan_set_error_report_callback(void (*callback)(const char* report));
/// Called by ThreadSanitizer for each report that isn't suppressed; weak, as its own, and as one of the user's may be
/// there.
[[gnu::weak]] void __tsan_on_report(void* report);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace mayfly {
namespace {

int channel = -1;
char record_tag = 0;
std::atomic<unsigned> races = 0;

void tell(const char* report) {
  const auto size = static_cast<std::uint32_t>(std::strlen(report));
  const iovec parts[] = {
      {const_cast<std::uint32_t*>(&size), sizeof size}, {&record_tag, 1}, {const_cast<char*>(report), size}};
  static_cast<void>(!::writev(channel, parts, std::size(parts)));
}

}  // namespace

bool has_thread_sanitizer() noexcept { return &__tsan_init != nullptr; }

bool has_stack_sanitizer() noexcept { return &__asan_init != nullptr || has_thread_sanitizer(); }

unsigned reported_races() noexcept { return races; }

void tell_reports(int fd, char tag) noexcept {
  channel = fd;
  record_tag = tag;
  races = 0;
  if (&__asan_set_error_report_callback != nullptr) __asan_set_error_report_callback(tell);
}

}  // namespace mayfly

// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" void __tsan_on_report(void*) { ++mayfly::races; }
