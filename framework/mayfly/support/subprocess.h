#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/support/error.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// What a host program gave back.
struct ProcessResult {
  int exit_code = 0;  ///< 128 + n when signal n ended it, as a shell reports it
  std::string out;    ///< standard output
  std::string err;    ///< standard error
  Milliseconds duration{0};
  [[nodiscard]] bool ok() const noexcept { return exit_code == 0; }
};

/// How to run a host program. Defaults: inherits environment and working directory, stdin is /dev/null.
struct ProcessOptions {
  std::map<std::string, std::string> env{};  ///< added to (or replacing in) the inherited environment
  bool clear_env = false;                    ///< start from an empty environment instead
  std::filesystem::path cwd{};               ///< empty: inherited
  std::string stdin_text{};
  std::optional<Milliseconds> timeout{};  ///< then SIGKILL for the process group, and TimeoutError
  /// Called with each piece of output as it comes (true: standard error); it is collected all the same.
  std::function<void(bool is_stderr, std::string_view piece)> on_output{};
  /// `cgroup.procs` files that the child joins before exec, so that its whole tree can be killed.
  std::vector<int> join_cgroups{};
  /// Gives the child a private mount namespace: what it mounts is gone with it, and never reaches the host.
  bool private_mounts = false;
};

/// Thrown by check_process() and by Container::check(): a command ended with another status than 0.
class CommandError : public Error {
 public:
  CommandError(std::vector<std::string> argv, int exit_code, std::string_view output_tail,
               std::source_location where = std::source_location::current());
  [[nodiscard]] const std::vector<std::string>& argv() const noexcept { return argv_; }
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

 private:
  std::vector<std::string> argv_;
  int exit_code_;
};

/// Runs a host program to its end. argv[0] is looked up in PATH. The child dies with the calling thread's process
/// (PR_SET_PDEATHSIG).
/// @throws SystemError when it can't be started, TimeoutError
[[nodiscard]] ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options = {});

/// The strict twin: @throws CommandError with the tail of the output when the exit code isn't 0.
ProcessResult check_process(const std::vector<std::string>& argv, const ProcessOptions& options = {});

/// The program's path in PATH (with /usr/sbin and /sbin added), or nothing.
[[nodiscard]] std::optional<std::filesystem::path> find_program(std::string_view name);

/// For messages: argv quoted as a POSIX shell would need it.
[[nodiscard]] std::string shell_quote(const std::vector<std::string>& argv);

/// The last `lines` lines of a text, for error messages.
[[nodiscard]] std::string tail(std::string_view text, std::size_t lines = 20);

}  // namespace mayfly
