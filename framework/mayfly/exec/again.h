#pragma once

#include <string>
#include <vector>

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// How a program of the host that executes its own argv[0] gets itself again in a container that hasn't its file: the
/// argv[0] is a path through a descriptor into a file system in memory that is mounted nowhere. What lies there under
/// the program's name is a link to mayfly-again (again_main.cpp), which reads beside it what to execute.
struct Again {
  std::string argv0;           ///< "/proc/self/fd/9/client_test"; the last part is the program's own
  std::vector<UniqueFd> kept;  ///< what has to stay open, under these numbers, all above stdio
};

/// @param name the program's file name
/// @param executable the path of what is executed, through a descriptor that stays open
/// @param arguments of it, argv[0] included, before the program's own; where `kArgv0` stands, argv0 is put
/// @throws Error
[[nodiscard]] Again make_again(const std::string& name, const std::string& executable,
                               const std::vector<std::string>& arguments);

/// Stands in `arguments` for the program's argv[0].
inline constexpr const char* kArgv0 = "\x01";

/// A descriptor that a program can keep: not in the place of a standard stream.
[[nodiscard]] UniqueFd above_stdio(UniqueFd fd);

/// Another descriptor of the same, which a program can keep.
[[nodiscard]] UniqueFd duplicate(const UniqueFd& fd);

/// "/proc/self/fd/9"
[[nodiscard]] std::string path_of(const UniqueFd& fd);

}  // namespace mayfly
