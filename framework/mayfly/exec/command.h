#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {

/// A directory of the host that one command, and what it starts, sees read-only on top of the container's own mounts;
/// nobody else in the container does, and nothing of it is written to the container.
struct PrivateTree {
  /// A path below `/dev` of the container, which it has to itself: what the command mounts below `/dev` is its alone.
  static constexpr const char* kMountPoint = "/dev/.mayfly/tool";
  std::filesystem::path directory;  ///< on the host; owners on disk are 0-based
};

/// How to run a command in a container. Defaults: root, `/`, a clean environment (PATH, HOME, LANG=C.UTF-8, TERM=dumb),
/// stdin at end of file, no deadline.
struct ExecOptions {
  std::string stdin_text{};
  std::map<std::string, std::string> env{};  ///< added to the clean environment
  std::string cwd{};                         ///< empty: `/`, or the user's home when `user` is set
  std::string user{};                        ///< name or number, from the container's own /etc/passwd; empty: root
  std::optional<PrivateTree> private_tree{};
  /// The command is a program of the host (a path there, or a name in its PATH), run with the host's own loader and
  /// libraries: it needs nothing in the container but /proc. For test binaries; see host_program.h.
  bool host_program = false;
  std::optional<Milliseconds> timeout{};  ///< then the command's whole tree is killed, even what has left its session
  /// Called with each piece of output as it comes (true: standard error); it is collected all the same.
  std::function<void(bool is_stderr, std::string_view piece)> on_output{};
};

/// What a command in a container gave back.
struct ExecResult {
  std::vector<std::string> argv{};
  int exit_code = 0;       ///< 128 + n when signal n ended it; 127 not found, 126 can't be executed (as a shell has it)
  int signal = 0;          ///< that ended it; 0: none, so that it has exited with `exit_code`
  bool timed_out = false;  ///< the deadline passed and the tree was killed
  std::string out{};       ///< standard output
  std::string err{};       ///< standard error
  Milliseconds duration{0};
  [[nodiscard]] bool ok() const noexcept { return exit_code == 0 && !timed_out; }
};

/// Runs a command in the container and waits for it; not for children that it left in the background, even when they
/// keep the output open.
/// @throws StoppedError; Error when the user doesn't exist
[[nodiscard]] ExecResult run(const Target& target, const std::vector<std::string>& argv,
                             const ExecOptions& options = {});

/// The strict twin. @throws CommandError when the exit code isn't 0, TimeoutError
ExecResult check(const Target& target, const std::vector<std::string>& argv, const ExecOptions& options = {});

/// Runs a command with the caller's own stdin, stdout and stderr (a terminal, for `mayfly shell`). A signal to the
/// caller that he doesn't handle ends the command.
/// @return its exit code is 124 when it had to be killed at its deadline (as timeout(1) has it), 128 + n when signal n
/// came to the caller; what it has written isn't in it
/// @throws StoppedError also when the container stopped while it ran and took it along
[[nodiscard]] ExecResult run_attached(const Target& target, const std::vector<std::string>& argv,
                                      const ExecOptions& options = {});

}  // namespace mayfly
