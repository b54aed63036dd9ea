#include "mayfly/exec/command_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "mayfly/exec/again.h"
#include "mayfly/exec/coverage_files.h"
#include "mayfly/exec/crash_reports.h"
#include "mayfly/exec/files.h"
#include "mayfly/exec/host_program.h"
#include "mayfly/exec/sanitizer_reports.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string read_if_exists(const Target& target, const std::string& path) {
  return file_status(target, path) ? read_file(target, path) : std::string();
}

Account account_for(const Target& target, const std::string& user) {
  if (user.empty()) {
    return {.name = "root", .home = "/root", .groups = {0}};
  }
  auto account = find_account(read_if_exists(target, "/etc/passwd"), read_if_exists(target, "/etc/group"), user);
  if (!account) {
    throw Error(fmt::format("the container has no user '{}'", user));
  }
  return *account;
}

void refuse_nul(const std::string& text, const char* what) {
  if (text.find('\0') != std::string::npos) {
    throw Error(fmt::format("{} of a command in a container has a NUL byte in it", what));
  }
}

}  // namespace

SpawnPlan plan_command(const Target& target, const std::vector<std::string>& argv, const ExecOptions& options) {
  if (argv.empty()) {
    throw Error("no command to run in the container: argv is empty");
  }
  for (const std::string& argument : argv) {
    refuse_nul(argument, "an argument");
  }
  SpawnPlan plan{.argv = argv, .account = account_for(target, options.user)};
  if (!options.cwd.empty()) {
    refuse_nul(options.cwd, "the working directory");
    plan.cwd = options.cwd;
  } else if (!options.user.empty()) {
    plan.cwd = plan.account.home;
    plan.fallback_cwd = "/";
  }
  std::map<std::string, std::string> environment{{"PATH", kPath},
                                                 {"HOME", plan.account.home},
                                                 {"USER", plan.account.name},
                                                 {"LOGNAME", plan.account.name},
                                                 {"LANG", "C.UTF-8"},
                                                 {"TERM", "dumb"}};
  for (const auto& [name, value] : options.env) {
    if (name.empty() || name.find('=') != std::string::npos) {
      throw Error(fmt::format("'{}' is no name for an environment variable", name));
    }
    refuse_nul(name, "a variable's name");
    refuse_nul(value, "a variable");
    environment[name] = value;
  }
  for (const auto& [name, value] : environment) {
    plan.environment.push_back(fmt::format("{}={}", name, value));
  }
  if (options.host_program) {
    const auto program = std::make_shared<HostProgram>(open_host_program(target, argv));
    plan.coverage = CoverageFiles::of_program(program->files, plan.environment);
    if (plan.coverage) {
      program->kept.push_back(duplicate(plan.coverage->tree()));
      for (std::string& variable : CoverageFiles::environment(path_of(program->kept.back()))) {
        plan.environment.push_back(std::move(variable));
      }
    }
    plan.reports = SanitizerReports::of_program(*program);
    if (plan.reports) {
      program->kept.push_back(duplicate(plan.reports->tree()));
      SanitizerReports::add_to(plan.environment, path_of(program->kept.back()));
    } else {  // a sanitizer tells more, and wants to be loaded first
      plan.crash = CrashReports::of_program(*program);
    }
    plan.host_program = program;
  } else {
    plan.candidates = program_candidates(argv.front(), environment["PATH"]);
  }
  return plan;
}

ExecFailure explain_exec_failure(const Target& target, const SpawnPlan& plan, int exec_error) {
  constexpr int kNotFound = 127;
  constexpr int kNotExecutable = 126;
  const std::string& program = plan.argv.front();
  if (plan.host_program) {
    char buffer[256];
    return {kNotExecutable, fmt::format("mayfly: the host's '{}' can't be executed in the container: {}\n", program,
                                        strerror_r(exec_error, buffer, sizeof buffer))};
  }
  const bool missing = exec_error == ENOENT || exec_error == ENOTDIR;
  if (!missing) {
    char buffer[256];
    return {kNotExecutable, fmt::format("mayfly: '{}' can't be executed: {}\n", program,
                                        strerror_r(exec_error, buffer, sizeof buffer))};
  }
  const auto exists = [&](const std::string& path) { return path.starts_with('/') && file_status(target, path); };
  if (std::any_of(plan.candidates.begin(), plan.candidates.end(), exists)) {
    return {kNotFound,
            fmt::format("mayfly: '{}' can't be executed: its interpreter or dynamic loader doesn't exist in the "
                        "container\n",
                        program)};
  }
  if (program.find('/') != std::string::npos) {
    return {kNotFound, fmt::format("mayfly: '{}' not found in the container\n", program)};
  }
  std::string_view path;
  for (const std::string& variable : plan.environment) {
    if (variable.starts_with("PATH=")) {
      path = std::string_view(variable).substr(5);
    }
  }
  return {kNotFound, fmt::format("mayfly: '{}' not found in the container's PATH ({})\n", program, path)};
}

void set_end(ExecResult& result, const siginfo_t& status) noexcept {
  constexpr int kSignalBase = 128;
  const bool exited = status.si_code == CLD_EXITED;
  result.signal = exited ? 0 : status.si_status;
  result.exit_code = exited ? status.si_status : kSignalBase + status.si_status;
}

std::string reports_of(const SpawnPlan& plan) {
  return (plan.reports ? plan.reports->take() : std::string()) + (plan.crash ? plan.crash->take() : std::string());
}

void look_at_dying(const SpawnPlan& plan, const ContainerProcess& process, Deadline& deadline) {
  const Milliseconds left = deadline.left();
  if (plan.crash->look(process.pid())) deadline = Deadline::after(left);
}

}  // namespace mayfly
