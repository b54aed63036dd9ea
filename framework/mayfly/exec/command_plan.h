#pragma once

#include <string>
#include <vector>

#include "mayfly/exec/command.h"
#include "mayfly/exec/spawn.h"
#include "mayfly/support/deadline.h"

namespace mayfly {

/// What run() and run_attached() start, without its stdio.
/// @throws Error when there is no command, a variable's name is none, or the container has no such user
[[nodiscard]] SpawnPlan plan_command(const Target& target, const std::vector<std::string>& argv,
                                     const ExecOptions& options);

/// Why a program could not be executed, as a shell reports it: a line for standard error and the exit code, 127 when
/// there is no such program, else 126.
struct ExecFailure {
  int exit_code = 0;
  std::string line;  ///< "mayfly: 'foo' not found in PATH (/usr/bin:/bin)"
};
[[nodiscard]] ExecFailure explain_exec_failure(const Target& target, const SpawnPlan& plan, int exec_error);

/// How a command ended, by its status as waitid(2) has it.
void set_end(ExecResult& result, const siginfo_t& status) noexcept;

/// Once a program of the host has ended: what it and its sanitizer tell of that, beside its output. Takes it.
[[nodiscard]] std::string reports_of(const SpawnPlan& plan);

/// gdb looks at a program of the host that dies and waits for it; meanwhile its deadline doesn't run.
void look_at_dying(const SpawnPlan& plan, const ContainerProcess& process, Deadline& deadline);

}  // namespace mayfly
