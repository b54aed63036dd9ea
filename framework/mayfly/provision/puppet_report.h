#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "mayfly/provision/path_map.h"
#include "mayfly/provision/provision.h"
#include "mayfly/provision/verdict.h"

namespace mayfly {

/// What the report processor `mayfly` wrote at the end of a run.
struct PuppetReport {
  std::vector<TaskResult> tasks{};  ///< resources that a manifest declares, in the catalog's order
  bool failed = false;              ///< the report's own status
  std::string error{};              ///< the last message of level err
};

/// @param paths from the container's paths to the host's
/// @param directory the manifest's on the host: places below it are shown relative to it
/// @throws Error when it is no such report
[[nodiscard]] PuppetReport parse_puppet_report(std::string_view text, const PathMap& paths,
                                               const std::filesystem::path& directory);

/// Why the run failed; nothing when it succeeded. Puppet leaves no report when the manifest doesn't compile.
/// ```
/// resource 'Exec[broken]' (site.pp:2) failed: '/bin/false' returned 1 instead of one of [0]
/// site.pp:3:3: Syntax error at 'mode'
/// ```
/// @param exit_code of `puppet apply --detailed-exitcodes`: 0 and 2 are good
/// @param output what puppet printed, with the host's paths
[[nodiscard]] std::optional<Verdict> puppet_failure(const std::optional<PuppetReport>& report, int exit_code,
                                                    std::string_view output, const std::filesystem::path& directory);

}  // namespace mayfly
