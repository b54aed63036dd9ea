#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mayfly/profile/check.h"
#include "mayfly/profile/scenario.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// `source = "host"`: the host's own root file system, read-only; nothing to download or build.
struct HostImage {
  friend bool operator==(const HostImage&, const HostImage&) = default;
};

/// `source = "debian"`: built once by mmdebstrap(1), kept in the store.
struct DebianImage {
  std::string suite;                    ///< "bookworm", "trixie", ...
  std::vector<std::string> packages{};  ///< on top of the minbase variant
  std::string mirror{};                 ///< empty: from the host's own apt configuration
  friend bool operator==(const DebianImage&, const DebianImage&) = default;
};

/// `source = "tarball"`: an archive of a root file system (anything that tar(1) reads), unpacked once into the store.
struct TarballImage {
  std::filesystem::path path;  ///< absolute
  friend bool operator==(const TarballImage&, const TarballImage&) = default;
};

/// `source = "directory"`: an unpacked root file system, used read-only where it is; owners on disk are 0-based.
struct DirectoryImage {
  std::filesystem::path path;  ///< absolute
  friend bool operator==(const DirectoryImage&, const DirectoryImage&) = default;
};

using ImageRecipe = std::variant<HostImage, DebianImage, TarballImage, DirectoryImage>;

/// One condition that has to hold before a container counts as ready.
struct ReadyWhen {
  enum class Kind { systemd, unit, port, command, file };
  Kind kind{};
  std::string text{};               ///< systemd: "running" or "degraded"; unit: its name; file: its path
  int port = 0;                     ///< TCP port that listens
  std::vector<std::string> argv{};  ///< command: ready once it exits with 0
  friend bool operator==(const ReadyWhen&, const ReadyWhen&) = default;
};

/// `[init]`: what runs as process 1, and when it counts as booted.
struct InitSettings {
  /// Absolute path and arguments. Empty: `/sbin/init` where the image has one and its source isn't "host", else
  /// Mayfly's own small init, which only reaps.
  std::vector<std::string> command{};
  /// All have to hold. Empty: with systemd as init, `systemd = "running"`; else as soon as init runs.
  std::vector<ReadyWhen> ready{};
  Milliseconds within{30'000};
  /// With systemd: boots as the image has it, instead of without what lean_boot() lists.
  bool stock = false;
  std::vector<std::string> mask{};  ///< units of systemd that are masked besides: "systemd-logind.service"
  friend bool operator==(const InitSettings&, const InitSettings&) = default;
};

/// `[limits]`: what isn't set isn't limited.
struct Limits {
  std::optional<Bytes>
      memory{};                  ///< memory of all processes, page cache and the writable layer, when that is in memory
  std::optional<double> cpus{};  ///< CPU time a wall-clock second: 1.5 is one and a half processors
  std::optional<std::uint64_t> pids{};  ///< processes and threads
  std::optional<Bytes> disk{};          ///< size of the writable layer; writes beyond it fail with ENOSPC
  friend bool operator==(const Limits&, const Limits&) = default;
};

/// `writable = "..."`: where what a container writes is kept while it runs.
enum class Writable {
  memory,  ///< a tmpfs of its own (the default)
  disk,    ///< the store's file system, never synced: for more than fits into memory
};

/// `network = "..."`
enum class Network {
  none,  ///< loopback only (the default)
  host,  ///< the host's own network: shares ports, firewall and sysctls with it
  nat,   ///< own address on the session's private bridge, names and the outside through user-mode NAT
};

/// `[[provision]] shell = ...`
struct ShellStep {
  std::filesystem::path script{};  ///< absolute path on the host; empty when `inline_script` is set
  std::string inline_script{};
  std::vector<std::string> args{};
  std::map<std::string, std::string> env{};
  friend bool operator==(const ShellStep&, const ShellStep&) = default;
};

/// `[[provision]] ansible = ...`
struct AnsibleStep {
  std::filesystem::path playbook;             ///< absolute path on the host; its directory goes with it
  std::map<std::string, std::string> vars{};  ///< extra variables; values are JSON texts, so that types survive
  std::vector<std::string> tags{};            ///< only tasks with one of these (`--tags`); empty: all
  std::vector<std::string> skip_tags{};
  std::filesystem::path vault_password_file{};  ///< absolute; empty: none
  std::filesystem::path requirements{};         ///< for ansible-galaxy, absolute; empty: none
  std::filesystem::path installed{};            ///< roles and collections of `requirements`; by resolve_dependencies()
  friend bool operator==(const AnsibleStep&, const AnsibleStep&) = default;
};

/// `[[provision]] puppet = ...`
struct PuppetStep {
  std::filesystem::path manifest;                ///< absolute path on the host; its directory goes with it
  std::vector<std::filesystem::path> modules{};  ///< on the host, absolute: directories, archives of modules (tar)
  std::vector<std::string> forge{};              ///< modules of the Puppet Forge: "puppetlabs-stdlib@9.4.1"
  std::map<std::string, std::string> facts{};    ///< external facts (FACTER_x)
  friend bool operator==(const PuppetStep&, const PuppetStep&) = default;
};

/// Where a secret is taken from, each time when a step runs: one of both is set.
struct SecretSource {
  std::string env{};             ///< an environment variable
  std::filesystem::path file{};  ///< absolute; a line end after its content isn't part of the secret
  friend bool operator==(const SecretSource&, const SecretSource&) = default;
};

/// `[[provision]] cfengine = ...`
struct CfengineStep {
  std::filesystem::path policy;               ///< absolute path on the host; its directory goes with it
  std::vector<std::string> classes{};         ///< defined from the start (`cf-agent -D`)
  std::map<std::string, std::string> vars{};  ///< `$(def.NAME)`; values are JSON texts
  friend bool operator==(const CfengineStep&, const CfengineStep&) = default;
};

/// `[[provision]] itamae = ...`
struct ItamaeStep {
  std::vector<std::filesystem::path> recipes;  ///< absolute paths on the host, run in this order
  std::filesystem::path directory{};           ///< what goes with them; empty: the deepest one that holds all recipes
  std::map<std::string, std::string> vars{};   ///< `node[:NAME]` (key `node`); values are JSON texts
  friend bool operator==(const ItamaeStep&, const ItamaeStep&) = default;
};

/// `[[provision]] rex = ...`
struct RexStep {
  std::filesystem::path file;                 ///< the Rexfile, an absolute path on the host; its directory goes with it
  std::string task;                           ///< which of its tasks
  std::map<std::string, std::string> vars{};  ///< parameters of the task (key `params`); values are JSON texts
  friend bool operator==(const RexStep&, const RexStep&) = default;
};

/// `[[provision]] propellor = ...`
struct PropellorStep {
  std::filesystem::path config;              ///< config.hs, an absolute path on the host; its directory goes with it
  std::string host{};                        ///< which of its hosts; empty: the container's hostname
  std::map<std::string, std::string> env{};  ///< of the compiled program
  std::filesystem::path toolchain{};         ///< root file system with GHC; by resolve_dependencies()
  friend bool operator==(const PropellorStep&, const PropellorStep&) = default;
};

/// `[[provision]] cdist = ...`
struct CdistStep {
  std::filesystem::path directory;           ///< manifests, types and files, absolute on the host
  std::filesystem::path manifest{};          ///< absolute; empty: `manifest/init` in the directory
  std::map<std::string, std::string> env{};  ///< of the manifests and of all else that runs on this machine
  friend bool operator==(const CdistStep&, const CdistStep&) = default;
};

/// `[[provision]] command = ...`: any other tool.
struct CommandStep {
  enum class Where { container, host };
  enum class Result { exit_code, json_lines };
  std::vector<std::string> argv;
  std::vector<std::string> check{};   ///< the same in check mode; empty: it has none
  std::filesystem::path directory{};  ///< absolute path on the host; the command's working directory
  std::map<std::string, std::string> env{};
  std::map<std::string, std::string> vars{};  ///< handed over as a file; values are JSON texts
  Where where = Where::container;
  Result result = Result::exit_code;
  std::vector<int> changed_exit_codes{};  ///< set: these mean "changed", 0 means "nothing changed"
  friend bool operator==(const CommandStep&, const CommandStep&) = default;
};

/// One alternative a tool.
using ProvisionAction = std::variant<ShellStep, AnsibleStep, PuppetStep, CfengineStep, ItamaeStep, RexStep,
                                     PropellorStep, CdistStep, CommandStep>;

struct ProvisionStep {
  ProvisionAction action;
  Milliseconds within{600'000};
  std::map<std::string, SecretSource> secrets{};  ///< by name: handed to the tool, masked in all that is shown
  friend bool operator==(const ProvisionStep&, const ProvisionStep&) = default;
};

/// A machine as a TOML file describes it: a plain value, complete and checked; nothing in it depends on the host's
/// state.
struct Profile {
  std::string name;            ///< the file's stem
  std::filesystem::path file;  ///< where it was read from; empty for a profile made from text
  ImageRecipe image{HostImage{}};
  InitSettings init{};
  Limits limits{};
  Network network = Network::none;
  Writable writable = Writable::memory;
  bool privileged = false;                   ///< true: the container's root is the host's root (no user namespace)
  std::string hostname;                      ///< default: the name
  std::map<std::string, std::string> env{};  ///< for every command
  std::vector<ProvisionStep> prepare{};      ///< what comes before `provision`, and isn't judged
  std::vector<ProvisionStep> provision{};
  std::vector<ProvisionStep> side_effect{};  ///< before the checks, in their machine
  std::vector<ProvisionStep> cleanup{};      ///< at the end, also after a failure
  std::vector<Check> checks{};
  ScenarioSettings scenario{};
  IdempotenceSettings idempotence{};
  std::vector<MatrixAxis> matrix{};  ///< expand_matrix() makes plain profiles of it; all else leaves it unread
  friend bool operator==(const Profile&, const Profile&) = default;
};

/// Reads a profile. Relative paths in it are relative to the file's directory.
/// @throws ProfileError with all diagnostics of the file at once; SystemError when it can't be read
[[nodiscard]] Profile load_profile(const std::filesystem::path& file);

/// The same from text: `name` stands in diagnostics, relative paths are relative to `directory`.
[[nodiscard]] Profile parse_profile(std::string_view toml, std::string_view name,
                                    const std::filesystem::path& directory);

}  // namespace mayfly
