#pragma once

namespace mayfly {

// What the sanitizers of g++ and clang++ want of a test program that was compiled with one. Mayfly itself needn't have
// been.

/// Whether this program has AddressSanitizer or ThreadSanitizer, which know of one stack a thread, and would take
/// another for a wild one.
[[nodiscard]] bool has_stack_sanitizer() noexcept;
/// Whether it has ThreadSanitizer, which has a thread of its own.
[[nodiscard]] bool has_thread_sanitizer() noexcept;

/// From now on, AddressSanitizer's report is also written to `fd`, as a body's record of `tag`, before it ends the
/// process.
/// What ThreadSanitizer reports, which goes on, is counted from now on.
/// @param fd stays open
void tell_reports(int fd, char tag) noexcept;

/// How much ThreadSanitizer has reported.
[[nodiscard]] unsigned reported_races() noexcept;

}  // namespace mayfly
