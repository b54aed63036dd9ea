#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/profile/profile.h"
#include "mayfly/provision/dependencies.h"
#include "mayfly/support/error.h"

namespace mayfly {

/// One task or resource of a manifest.
struct TaskResult {
  enum class Status { ok, changed, failed, skipped };
  std::string name;  ///< "install nginx", "File[/etc/x]"
  Status status{};
  std::string where{};  ///< "site.yml:12"; empty when the tool doesn't say
  std::string message{};
  /// Runs only when notified: a handler of Ansible, a resource that Puppet refreshed.
  bool handler = false;
  /// A command that the tool runs to find out, in a dry run too, and believes to change nothing.
  bool runs_always = false;
  /// When it ran, by the clock that the container shares with the host: what it changed has a ctime in between. (The
  /// kernel takes that from its last tick: it may lie up to 10 ms before the moment itself.) The epoch when the tool
  /// doesn't say.
  std::chrono::system_clock::time_point started{}, ended{};
  /// Of ProvisionMode::check: the absolute paths in the container that the tool says it would change, where it says so
  /// (Ansible: modules with a diff or an argument `dest` or `path`; Puppet: File resources whose title is the path;
  /// CFEngine: promises of type "files"; Itamae: resources with a path). A directory may stand for what is in it.
  /// Packages, services and users name no paths: empty.
  std::vector<std::string> predicted{};
};

/// A task or handler that a manifest has, whether it runs or not.
struct DeclaredTask {
  std::string name;
  std::string where;  ///< as TaskResult::where
  bool handler = false;
  std::string source{};  ///< the template that it renders, as the manifest calls it; empty for other tasks
  friend bool operator==(const DeclaredTask&, const DeclaredTask&) = default;
};

/// What a tool is asked to do.
enum class ProvisionMode {
  converge,
  check,  ///< only say what would change: `--check`, `--noop`, `--dry-run`; `changed` then means "would change"
};

/// What one converge of one or more provision steps did.
struct ConvergeResult {
  bool succeeded = true;
  int ok = 0;  ///< tasks that ran and changed nothing
  int changed = 0;
  int failed = 0;
  int skipped = 0;
  Milliseconds duration{0};
  std::vector<TaskResult> tasks{};
  std::string output{};  ///< the tools' own, standard output and error as they came
  /// What the manifest has, whether it ran or not: of Ansible all tasks of the plays, roles and static imports; of
  /// Puppet the resources of the manifest and of the profile's modules; of bash scripts their commands by line.
  std::vector<DeclaredTask> declared{};
  /// Of bash scripts: the lines as they ran, one after the other. A script is one task all the same.
  std::vector<TaskResult> lines{};
  /// Adds another step's result.
  ConvergeResult& operator+=(ConvergeResult other);
};

/// A manifest failed; what() names the step, the task, its place and its message.
class ProvisionError : public Error {
 public:
  ProvisionError(std::string message, ConvergeResult result,
                 std::source_location where = std::source_location::current());
  [[nodiscard]] const ConvergeResult& result() const noexcept { return *result_; }

 private:
  std::shared_ptr<const ConvergeResult> result_;
};

struct ProvisionOptions {
  ProvisionMode mode = ProvisionMode::converge;
  /// A task that is left out, to see who misses it: its place ("site.yml:12"), of Puppet the resource
  /// ("File[/etc/motd]").
  std::string without{};
  /// Gets the tool's output, line by line, as it comes; secrets masked.
  std::function<void(std::string_view line)> on_output{};
  /// Where to install what a step depends on. Not set: a step that has_dependencies() is an error.
  std::optional<DependencyOptions> dependencies{};
  /// Makes a root file system of Debian available and returns its directory: for a tool that the container lacks.
  /// Without it, tools have to be installed in the container.
  std::function<std::filesystem::path(const DebianImage& image)> tool_image{};
};

/// Runs one step in the container. The tool's result file is authoritative: a tool that exits with 0 and leaves none
/// has failed. Its own files are below /run in the container and are removed; nothing is written to the user's home.
///
/// - shell: the script is run by its `#!` line, else by `/bin/sh -e`, as root in `/`. It can't say what it changed, so
/// it
///   counts as one changed task, unless it prints the line `mayfly: unchanged`.
/// - ansible: ansible-playbook of this machine, in the playbook's directory, with the container as the only host,
/// called by its
///   hostname. The container needs python3 and no sudo: `become` is done on entering. An `ansible.cfg` beside the
///   playbook holds, but for the paths of connection, become and callback plugins; one in the home or in /etc doesn't.
/// - puppet: `puppet apply`. Modules of the profile come before those that the image has; a
/// `hiera.yaml`
///   beside the manifest is used.
/// - cfengine: cf-promises, then cf-agent; itamae, rex: by runners of our own, since their commands tell too little.
/// - propellor: compiled on this machine in a root file system with GHC, then run in the container, with its libraries.
/// - cdist: that of this machine, with remote programs of our own; the container needs no more than /bin/sh.
/// - command: any program, in the container or on the host.
///
/// Puppet, CFEngine, Itamae and Rex are the container's own where it has them. Else they come from a root file system
/// of their own (`tool_image`), which only their processes see; the step's deadline starts when that is there.
///
/// @throws ProvisionError when a task fails, the manifest can't be parsed, the tool is missing or the deadline passes;
/// Error when the container stops, and for ProvisionMode::check of a tool that has no check mode
[[nodiscard]] ConvergeResult provision(const Target& target, const ProvisionStep& step,
                                       const ProvisionOptions& options);

/// Whether the step's tool can say what it has changed; a shell script can't, nor a `command` without codes or lines
/// for it.
[[nodiscard]] bool tells_changes(const ProvisionStep& step);

/// Whether one of the step's tasks can be left out: ProvisionOptions::without.
[[nodiscard]] bool can_leave_out_tasks(const ProvisionStep& step);

/// Whether the step's tool can predict (ProvisionMode::check): shell, rex and propellor can't, `command` only with a
/// command for it.
[[nodiscard]] bool has_check_mode(const ProvisionStep& step);

/// What a step is called in messages: "ansible site.yml".
[[nodiscard]] std::string describe(const ProvisionStep& step);

/// A hash of everything that the step's outcome depends on: contents of scripts, the whole directory of a playbook or
/// manifest (but for version control's), modules, variables. What a playbook reads from elsewhere isn't seen.
/// @throws SystemError when a file is missing
[[nodiscard]] std::string fingerprint(const ProvisionStep& step);

}  // namespace mayfly
