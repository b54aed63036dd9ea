// mayfly run, mayfly shell: what starts a container for a command.
#include <fmt/format.h>

#include <cstdlib>
#include <system_error>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/guarded_session.h"
#include "mayfly/cli/load_profiles.h"
#include "mayfly/cli/usage_error.h"
#include "mayfly/exec/body_debugging.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/flags.h"

namespace mayfly {
namespace {

ExecOptions exec_options(const RunArguments& arguments) {
  ExecOptions options{.env = arguments.env, .cwd = arguments.directory, .user = arguments.user};
  options.host_program = arguments.host_program;
  if (!arguments.timeout.empty()) {
    options.timeout = parse_duration(arguments.timeout);
    if (!options.timeout) {
      throw UsageError("--timeout '" + arguments.timeout + "' is no duration; write '90s', '5min' or '1h'");
    }
  }
  return options;
}

Container start(Session& session, const Profile& profile, bool provision) {
  return provision ? session.start(profile) : session.start_unprovisioned(profile);
}

/// What a command that has failed hasn't made isn't there.
void copy_results(const Container& container,
                  const std::vector<std::pair<std::string, std::filesystem::path>>& results) {
  for (const auto& [from, to] : results) {
    if (file_status(container.target(), from)) container.copy_out(from, to);
  }
}

/// "exit 3", "signal 11", "timeout"
std::string status_text(const ExecResult& result) {
  if (result.timed_out) return "timeout\n";
  if (result.signal != 0) return fmt::format("signal {}\n", result.signal);
  return fmt::format("exit {}\n", result.exit_code);
}

/// As the fixtures do, and by the same variables.
void save_crashes(const std::filesystem::path& artifacts) {
  if (artifacts.empty() || !environment_flag("MAYFLY_GDB", true)) return;
  const std::filesystem::path directory = std::filesystem::absolute(artifacts);
  set_body_debugging(
      {.artifacts = directory, .artifacts_later = directory, .cores = environment_flag("MAYFLY_CORES", false)});
}

int run_attached_in(const RunArguments& arguments, const ExecOptions& options) {
  save_crashes(arguments.artifacts);
  const Profile profile = load_named_profile(arguments.profile);
  if (arguments.provision) require_secrets({profile}, {.steps = {ScenarioStep::converge}});
  SessionGuard guard;
  try {
    const int code = guard.use({}, [&](Session& session) {
      const Container container = start(session, profile, arguments.provision);
      for (const HostMount& mount : arguments.mounts) mount_from_host(container.target(), mount);
      for (const auto& [from, to] : arguments.copy_in) container.copy_in(from, to);
      const ExecResult result =
          container.run_attached(arguments.command.empty() ? login_shell(container) : arguments.command, options);
      if (!arguments.status.empty()) write_file(arguments.status, status_text(result));
      copy_results(container, arguments.copy_out);
      return result.exit_code;
    });
    guard.wait_if_interrupted();
    return code;
  } catch (...) {
    guard.wait_if_interrupted();
    throw;
  }
}

}  // namespace

void begin_status(const std::filesystem::path& file) {
  if (file.empty()) return;
  try {
    write_file(file, "");
  } catch (const SystemError& error) {
    UsageError usage(fmt::format("--status '{}' can't be written: {}", file.string(),
                                 std::generic_category().message(error.code())));
    usage.set_hint("make its directory, or name another file");
    throw usage;
  }
}

int run_command(const RunArguments& arguments) { return run_attached_in(arguments, exec_options(arguments)); }

int shell_command(const RunArguments& arguments) {
  ExecOptions options = exec_options(arguments);
  if (const char* term = std::getenv("TERM")) options.env.emplace("TERM", term);
  return run_attached_in(arguments, options);
}

}  // namespace mayfly
