#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/target.h"

namespace mayfly {

/// What a person gets to read when a process has stopped to be looked at: `[ STOPPED  ] Process 4711 of the host: ...`,
/// with commands to paste for gdb and for a shell in each container, and how to let it go on.
/// @param what of which the first lines are shown
/// @param shares_memory with the calling process, where the breakpoints of a debugger of `pid` would be as well
[[nodiscard]] std::string debugging_help(std::string_view what, pid_t pid, const std::vector<Target>& containers,
                                         bool shares_memory);

/// To standard error, and to the process's terminal, when standard error leads elsewhere. Not through stdio: a body
/// that shares memory may hold its lock.
void print_to_person(std::string_view text);

/// Stops the calling process itself until Enter is pressed on its terminal, a debugger that has attached itself lets it
/// go on, or it gets SIGCONT. Prints debugging_help() before.
void stop_here(std::string_view what, const std::vector<Target>& containers);

}  // namespace mayfly
