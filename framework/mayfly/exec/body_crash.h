#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mayfly {

/// What a body's signal handler writes to its channel when it dies.
struct CrashRecord {
  static constexpr std::size_t kMostFrames = 64;
  std::int32_t signal = 0;
  std::int32_t frame_count = 0;
  std::uint64_t instruction = 0;  ///< that was interrupted; 0: unknown
  std::uint64_t frames[kMostFrames]{};
};

/// Loads what backtrace(3) loads at its first call, so that a signal handler can call it. Before the body begins.
void prepare_crash_handler();

/// From now on, a signal that would kill this process is first told of on `fd` with the backtrace, as a record of
/// `tag`. Where sanitizers handle a signal, they go on to do so.
/// @param fd stays open
void install_crash_handler(int fd, char tag) noexcept;

/// A line a frame: "#0 Web::parse(char const*) at web_test.cpp:42 (web_test+0x1a2b)". The addresses are of a process
/// that was forked from this one. Places in the source by addr2line(1), where it is installed.
[[nodiscard]] std::string readable_backtrace(const CrashRecord& crash);

/// A name of C++'s ABI as it stands in the source; another one as it is.
[[nodiscard]] std::string demangled(const char* symbol);

}  // namespace mayfly
