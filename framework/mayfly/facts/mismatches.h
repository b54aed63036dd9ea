#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mayfly/exec/command.h"
#include "mayfly/facts/facts.h"
#include "mayfly/profile/check.h"

namespace mayfly {

// What a check demands and a fact doesn't show, one line each; empty when the check holds:
// ```
// running: expected true, is false (failed)
// mode: expected 0644, is 0600
// content: expected to contain 'worker_processes 4'
// exit code: expected 0, is 7: curl: (7) Failed to connect
// ```

[[nodiscard]] std::vector<std::string> mismatches(const ServiceCheck& check, const ServiceFact& fact);
[[nodiscard]] std::vector<std::string> mismatches(const PortCheck& check, const PortFact& fact);
/// @param content needed when the check has `contains` and the file exists
[[nodiscard]] std::vector<std::string> mismatches(const FileCheck& check, const FileFact& fact,
                                                  const std::optional<std::string>& content);
[[nodiscard]] std::vector<std::string> mismatches(const PackageCheck& check, const PackageFact& fact);
[[nodiscard]] std::vector<std::string> mismatches(const UserCheck& check, const UserFact& fact);
[[nodiscard]] std::vector<std::string> mismatches(const CommandCheck& check, const ExecResult& result);

/// What a check is called in reports, with all that it demands: "service nginx: running, enabled".
[[nodiscard]] std::string title_of(const Check& check);

}  // namespace mayfly
