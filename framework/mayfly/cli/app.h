#pragma once

#include <string>
#include <vector>

namespace mayfly {

/// The mayfly command: reads the command line, runs a subcommand, writes errors to standard error.
/// @param arguments without the program's name
/// @return the exit code
[[nodiscard]] int run_app(std::vector<std::string> arguments);

}  // namespace mayfly
