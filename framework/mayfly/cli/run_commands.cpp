// mayfly run, mayfly shell, mayfly verify: what starts a container.
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/exit_code.h"
#include "mayfly/cli/interrupt.h"
#include "mayfly/cli/usage_error.h"
#include "mayfly/cli/verify.h"
#include "mayfly/facts/facts.h"
#include "mayfly/session/session.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// A session that a signal ends.
class GuardedSession {
 public:
  explicit GuardedSession(SessionOptions options = {})
      : session_(std::move(options)), guard_([this] { session_.close(); }) {}

  /// Runs `work(session)`. When a signal ends the session meanwhile, its error isn't reported.
  template <typename Work>
  auto use(Work work) {
    try {
      return work(session_);
    } catch (...) {
      guard_.wait_if_interrupted();
      throw;
    }
  }

  /// Runs a program on the caller's terminal, which then gets Ctrl-C.
  int attach(const Container& container, const std::vector<std::string>& argv, ExecOptions options) {
    guard_.leave_interrupts_to_child(isatty(STDIN_FILENO) != 0);
    const int code = use([&](Session&) { return container.run_attached(argv, std::move(options)); });
    guard_.leave_interrupts_to_child(false);
    wait_if_interrupted();
    return code;
  }

  /// See InterruptGuard: to be called before anything is reported or undone that a signal may have cut short.
  void wait_if_interrupted() const { guard_.wait_if_interrupted(); }

 private:
  Session session_;
  InterruptGuard guard_;
};

std::vector<std::string> login_shell(const Container& container) {
  const bool has_bash = file_status(container.target(), "/bin/bash").has_value();
  return {has_bash ? "/bin/bash" : "/bin/sh", "-l"};
}

ExecOptions exec_options(const RunArguments& arguments) {
  ExecOptions options{.env = arguments.env, .cwd = arguments.directory, .user = arguments.user};
  if (!arguments.timeout.empty()) {
    options.timeout = parse_duration(arguments.timeout);
    if (!options.timeout) {
      throw UsageError("--timeout '" + arguments.timeout + "' is no duration; write '90s', '5min' or '1h'");
    }
  }
  return options;
}

/// A profile that isn't there is a mistake on the command line.
Profile load(const std::filesystem::path& file) {
  try {
    return load_profile(file);
  } catch (const SystemError& error) {
    UsageError wrong(error.message());
    wrong.set_hint("name the profile's TOML file, for example web.toml");
    throw wrong;
  }
}

Container start(Session& session, const Profile& profile, bool provision) {
  return provision ? session.start(profile) : session.start_unprovisioned(profile);
}

int run_attached_in(const RunArguments& arguments, const ExecOptions& options) {
  const Profile profile = load(arguments.profile);
  GuardedSession guarded;
  return guarded.use([&](Session& session) {
    const Container container = start(session, profile, arguments.provision);
    return guarded.attach(container, arguments.command.empty() ? login_shell(container) : arguments.command, options);
  });
}

}  // namespace

int run_command(const RunArguments& arguments) { return run_attached_in(arguments, exec_options(arguments)); }

int shell_command(const RunArguments& arguments) {
  ExecOptions options = exec_options(arguments);
  if (const char* term = std::getenv("TERM")) options.env.emplace("TERM", term);
  return run_attached_in(arguments, options);
}

int verify_command(const VerifyArguments& arguments, const Console& console) {
  const Profile profile = load(arguments.profile);
  SessionOptions session_options;
  if (arguments.quiet) {
    session_options.progress = [](std::string_view) {};
    session_options.provision_output = [](std::string_view) {};
  }
  GuardedSession guarded(std::move(session_options));
  VerifyOptions options;
  options.artifacts = arguments.artifacts;
  options.on_step = [&](const VerifyStep& step) {
    guarded.wait_if_interrupted();
    console.line(render(step, console));
  };
  if (arguments.keep) {
    options.before_destroy = [&](const Container& container) {
      console.line("kept: this shell is inside; the container goes when you leave it");
      ExecOptions shell;
      if (const char* term = std::getenv("TERM")) shell.env.emplace("TERM", term);
      static_cast<void>(guarded.attach(container, login_shell(container), shell));
    };
  }
  return guarded.use([&](Session& session) {
    const VerifyReport report = verify(session, profile, options);
    session.close();
    console.line(render_summary(report, console));
    if (!arguments.junit.empty()) write_file(arguments.junit, render_junit({junit_suite(report)}));
    return report.ok() ? kExitOk : report.host_failed() ? kExitError : kExitFailed;
  });
}

}  // namespace mayfly
