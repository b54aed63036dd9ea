#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A descriptor that a program is started with, and the number that its command line calls it by: 10 or higher.
struct GivenFd {
  const UniqueFd& fd;
  int number;
};

/// Starts a program that Mayfly ships and that isn't to be anybody's child: it forks, and goes on in the child alone.
/// Returns once the first process has ended. The program starts with default signals, nothing blocked.
/// @param arguments without the program's name
/// @throws SystemError when it can't be executed; Error when it isn't installed
void spawn_detached(std::string_view program, const std::vector<std::string>& arguments,
                    std::initializer_list<GivenFd> given);

/// For such a program's main(), which gets it as text.
/// @return nothing when it is no open descriptor; a child doesn't inherit it
[[nodiscard]] std::optional<int> given_descriptor(std::string_view text);

/// Forks and ends the caller, so that whoever started it gets no child: a test that waits for all of its children would
/// wait for ever. Returns in the child.
void leave_parent();

/// Cuts all ties of a single-threaded process with the one that started it: its terminal, its process group, its
/// umask, its signals, its descriptors.
/// @param name what ps(1) and /proc show
/// @param keep the descriptors to be kept, beside the standard ones; each at most once
/// @param keep_stderr warnings go where the starter's own go; else all standard streams are /dev/null, and whoever
/// waits for the end of the starter's output doesn't wait for this process
void become_independent(const char* name, std::vector<int> keep, bool keep_stderr);

/// A descriptor that stands for a process and never for another one of the same number.
/// @throws SystemError
[[nodiscard]] UniqueFd open_pidfd(pid_t pid);

/// Whether the process of a pidfd has ended.
[[nodiscard]] bool has_ended(const UniqueFd& pidfd);

}  // namespace mayfly
