#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mayfly/cli/console.h"
#include "mayfly/support/units.h"

namespace mayfly {

// The subcommands: options in, exit code out (ExitCode, or a command's own code). What goes wrong is thrown; app.cpp
// turns it into a message and an exit code.

struct RunArguments {
  std::filesystem::path profile;
  std::vector<std::string> command;  ///< for `shell` empty: bash, else sh
  std::string user{};
  std::string directory{};
  std::map<std::string, std::string> env{};
  bool provision = true;
  std::string timeout{};  ///< as parse_duration() reads it; empty: none
};
/// @throws UsageError for a timeout that is none
int run_command(const RunArguments& arguments);
int shell_command(const RunArguments& arguments);

struct VerifyArguments {
  std::filesystem::path profile;
  std::filesystem::path junit{};      ///< empty: no report
  std::filesystem::path artifacts{};  ///< empty: none
  bool keep = false;
  bool quiet = false;
};
int verify_command(const VerifyArguments& arguments, const Console& console);

int ps_command(bool as_json, const Console& console);
int gc_command(const Console& console);
int doctor_command(const Console& console);

}  // namespace mayfly
