#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mayfly/provision/step.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {

/// What manifests call the container: its hostname, else "container".
[[nodiscard]] std::string inventory_name(const Target& target);

struct HostRun {
  int exit_code = -1;
  bool timed_out = false;
};

/// Runs a program of this machine that works on the container by `$MAYFLY_ENTER`, which stands for `ssh HOST`: that
/// dies with the step's deadline. Hands its output on.
/// @param files a directory of the step's own, which gets a file
[[nodiscard]] HostRun run_on_host(const StepContext& context, const std::vector<std::string>& argv,
                                  ProcessOptions options, const std::filesystem::path& files);

}  // namespace mayfly
