#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/body_debugging.h"
#include "mayfly/support/units.h"

namespace mayfly {

// gdb(1) of the host, for a process that has this program's code and may be in a container.

/// How long gdb may take for one look: it reads the symbols of large programs for seconds.
inline constexpr Milliseconds kGdbTime{30'000};

/// The command that attaches gdb, for a person or with `-batch` behind it. Program and libraries are the host's files
/// (`set sysroot /`): in the container's root gdb would look for them in vain.
[[nodiscard]] std::vector<std::string> gdb_command(pid_t pid);

/// What gdb printed of threads and their frames, without the frames of Mayfly's own: below a body, and above a signal
/// handler that waits for gdb. Of that thread the frames begin after `<signal handler called>`.
[[nodiscard]] std::string without_own_frames(std::string_view report);

[[nodiscard]] bool gdb_is_installed();

/// Whether a process that dies or hangs is to be looked at by gdb.
[[nodiscard]] bool saves_gdb_report(const BodyDebugging& settings);

/// Attaches gdb to a process, saves what it tells of each thread, with a core file where `settings` want one, and lets
/// the process go on. The files are `<name>-<number>.gdb.txt`, `<name>-<number>.core` or `.core.zst`, in
/// `settings.artifacts`, which is made.
/// @param command as gdb_command()
/// @return a line for each file: "all threads with their variables: <file>", "core file: <file>", as
///   `settings.artifacts_later` has them
/// @throws Error when gdb can't attach, TimeoutError after kGdbTime
std::string save_gdb_report(const BodyDebugging& settings, std::vector<std::string> command, const std::string& name);

}  // namespace mayfly
