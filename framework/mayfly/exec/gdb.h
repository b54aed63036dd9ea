#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

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

/// What save_gdb_report() has made.
struct GdbReport {
  std::filesystem::path threads{};  ///< text: each thread's frames with their variables
  std::filesystem::path core{};     ///< core file, compressed where zstd(1) is; empty: none
};

/// Attaches gdb to a process, notes what it tells of each thread, and lets the process go on.
/// @param name the files become `directory/name.gdb.txt` and `directory/name.core` or `name.core.zst`; the directory is
///   made
/// @param core whether there is to be one
/// @throws Error when gdb can't attach, TimeoutError after kGdbTime
GdbReport save_gdb_report(pid_t pid, const std::filesystem::path& directory, const std::string& name, bool core);

}  // namespace mayfly
