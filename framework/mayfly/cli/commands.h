#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/cli/console.h"
#include "mayfly/exec/host_mount.h"
#include "mayfly/exec/test_framework.h"
#include "mayfly/scenario/plan.h"
#include "mayfly/support/units.h"
#include "mayfly/testrun/plan.h"

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
  std::string timeout{};              ///< as parse_duration() reads it; empty: none
  bool host_program = false;          ///< ExecOptions::host_program
  std::filesystem::path artifacts{};  ///< what explains the crash of a program of the host; empty: nowhere
  std::filesystem::path status{};     ///< where it is written how the command ended; empty: nowhere
  std::vector<HostMount> mounts{};    ///< before the command
  std::vector<std::pair<std::filesystem::path, std::string>> copy_in{};   ///< host, container; before the command
  std::vector<std::pair<std::string, std::filesystem::path>> copy_out{};  ///< container, host; after it, if there
};
/// For RunArguments::status, before anything else can fail: makes the file, or empties what an earlier command left.
/// @throws UsageError
void begin_status(const std::filesystem::path& file);
/// @throws UsageError for a timeout that is none
int run_command(const RunArguments& arguments);
int shell_command(const RunArguments& arguments);

enum class KeepMachine { never, on_failure, always };

struct VerifyArguments {
  std::vector<std::filesystem::path> profiles;
  StepSelection selection{};
  unsigned jobs = 0;              ///< 0: as many as are worth it
  std::filesystem::path junit{};  ///< empty: no report
  std::filesystem::path json{};
  std::filesystem::path tap{};
  std::filesystem::path artifacts{};  ///< empty: none
  KeepMachine keep = KeepMachine::never;
  bool quiet = false;
  bool fresh = false;
  bool offline = false;
};
/// @throws ProfileError, ProfilesError, UsageError before anything has run
int verify_command(const VerifyArguments& arguments, const Console& console);

struct TestArguments {
  std::vector<std::filesystem::path> programs;  ///< a profile before them: in clean containers of it
  RunArguments machine{};                       ///< with a profile: how each is run
  std::vector<std::string> copy_in{};           ///< with a profile: "HOST=CONTAINER"
  std::vector<std::string> mounts{};            ///< the same, or "HOST=CONTAINER:rw"
  std::vector<std::string> gtest{};             ///< what follows `--`
  unsigned jobs = 0;                            ///< 0: one a processor
  Isolation isolation = Isolation::suite;
  std::optional<TestFramework> framework{};  ///< of all programs; nothing: found out
  std::string filter{};
  std::string timeout = "15min";  ///< of one process, as parse_duration() reads it; "0s": none
  std::filesystem::path junit{};  ///< empty: no report
  bool times = false;
  bool quiet = false;
  bool verbose = false;
};
/// @throws UsageError before anything has run
int test_command(const TestArguments& arguments, const Console& console);

struct JudgeArguments {
  std::vector<std::filesystem::path> profiles;
  unsigned jobs = 1;   ///< converges at a time, of mutate
  unsigned least = 0;  ///< per cent; less fails the command
};
int coverage_command(const JudgeArguments& arguments, const Console& console);
int mutate_command(const JudgeArguments& arguments, const Console& console);

struct AutoaddArguments {
  std::filesystem::path profile;
  std::vector<std::string> names;  ///< of whatever is in the machine: discover()
  bool write = false;              ///< append to the profile; else print
};
int autoadd_command(const AutoaddArguments& arguments, const Console& console);
/// Prints a Goss file's checks as [[check]] tables.
int import_goss_command(const std::filesystem::path& file, const Console& console);

struct ImageArguments {
  std::vector<std::filesystem::path> profiles{};  ///< build
  bool converge = false;
  bool json = false;         ///< ls
  std::string older_than{};  ///< prune: as parse_duration() reads it; empty: no limit
  std::string keep_size{};   ///< as parse_bytes() reads it
  bool all = false;
  bool dry_run = false;
};
int image_list_command(const ImageArguments& arguments, const Console& console);
int image_build_command(const ImageArguments& arguments, const Console& console);
/// @throws UsageError for a duration or a size that is none
int image_prune_command(const ImageArguments& arguments, const Console& console);

int ps_command(bool as_json, const Console& console);
int gc_command(const Console& console);
int doctor_command(const Console& console);

}  // namespace mayfly
