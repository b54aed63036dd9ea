#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/provision/provision.h"
#include "mayfly/provision/verdict.h"

namespace mayfly {

/// What the callback plugin `mayfly_events` wrote about one run of ansible-playbook.
struct AnsibleRun {
  /// In the order of the run. A failure that the playbook ignores or rescues is `ok`, or `changed` when ansible counts
  /// it so, with a message that tells.
  std::vector<TaskResult> tasks{};
  std::vector<DeclaredTask> declared{};
  /// The final record: hosts with at least one task's result. Nothing when ansible didn't get that far.
  std::optional<std::vector<std::string>> hosts{};
  std::string unmatched_hosts{};  ///< pattern of the first play that matched no host
  std::string running{};  ///< "'install nginx' (site.yml:12)": started last; it was running if ansible was killed
};

/// @param directory the playbook's: places below it are shown relative to it
/// @throws Error for lines that the plugin can't have written; a cut last line is left out
[[nodiscard]] AnsibleRun parse_ansible_events(std::string_view json_lines, const std::filesystem::path& directory);

/// What Ansible has against a playbook that it can't load.
struct AnsibleComplaint {
  std::string where{};  ///< "site.yml:3:7"; may be empty
  std::string message{};
};

/// The first error in the output: "ERROR! text" (2.14) or "[ERROR]: text" (2.19), with the place that follows as a
/// sentence or as "Origin: file:line:column".
[[nodiscard]] std::optional<AnsibleComplaint> ansible_complaint(std::string_view output,
                                                                const std::filesystem::path& directory);

/// Why the run failed; nothing when it succeeded. Looks at the events first and at the exit code last, which is 0 when
/// no host matched.
/// ```
/// task 'install nginx' (site.yml:12) failed: No package matching 'nginxx' is available
/// site.yml:3:7: couldn't resolve module/action 'nosuchmodule'. This often indicates a misspelling, ...
/// no host matched: the play is for 'databases', the container is called 'web'
/// ```
/// @param host the container's name in the inventory
/// @param output what ansible-playbook printed
[[nodiscard]] std::optional<Verdict> ansible_failure(const AnsibleRun& run, std::string_view host, int exit_code,
                                                     std::string_view output, const std::filesystem::path& directory);

}  // namespace mayfly
