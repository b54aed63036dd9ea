#pragma once

#include <sys/types.h>

namespace mayfly {

// How a process waits for whoever debugs it.

enum class GoOn {
  told,         ///< the eventfd was written, or SIGCONT has come
  by_terminal,  ///< there is input on it
  interrupted,  ///< by a debugger that has attached itself, and has let the process run again or has left it
  late,         ///< the time is over
};

/// Waits until somebody writes to an eventfd, which SIGCONT does meanwhile; what is in it from before counts. Safe in a
/// signal handler, and where libc's locks are in disorder.
/// @param told non-blocking
/// @param terminal -1: none
/// @param timeout_ms -1: none
[[nodiscard]] GoOn wait_to_go_on(int told, int terminal, int timeout_ms) noexcept;

/// Forgets what was written before.
void forget_go_on(int told) noexcept;

/// Whether a debugger has a process, with all of its threads: one that leaves lets go of them one by one.
/// @throws std::filesystem::filesystem_error, SystemError
[[nodiscard]] bool is_traced(pid_t pid);

/// Standard input, when it is a terminal from which this process may read now (tcgetpgrp(3)); else -1.
[[nodiscard]] int own_terminal() noexcept;

/// Takes the line that was written on it.
void take_terminal_line() noexcept;

}  // namespace mayfly
