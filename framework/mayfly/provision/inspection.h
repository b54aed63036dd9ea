#pragma once

#include <string>
#include <vector>

#include "mayfly/profile/profile.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// One thing that a tool has to say about a manifest that it has only read.
struct Finding {
  enum class Severity { error, warning, info };
  std::string where;    ///< "site.yml:12" or "site.yml:12:3", relative to the manifest's directory where it is in it
  std::string rule;     ///< "SC2086", "no-changed-when"; empty when the tool names none
  std::string message;  ///< one line
  Severity severity{};
  friend bool operator==(const Finding&, const Finding&) = default;
};

/// What one tool said about one step.
struct Inspection {
  std::string tool{};  ///< "ansible-lint"; empty when Mayfly knows none for such a step
  /// False when the step wasn't looked at: the tool isn't installed here, or there is none. Then `hint` says what to
  /// do, and there are no findings: that isn't the same as "nothing found".
  bool available = true;
  std::string hint{};
  std::vector<Finding> findings{};
  std::string output{};  ///< the tool's own
  Milliseconds duration{0};

  /// True when the tool looked and found no error. Warnings and lesser findings don't count.
  [[nodiscard]] bool passed() const;
};

/// Reads a step's manifest for errors of syntax on this host; no container is needed, nothing is run:
/// `ansible-playbook --syntax-check`, `puppet parser validate`, `sh -n`, `bash -n`, `ruby -c` and the like.
/// @throws Error when the tool itself breaks; TimeoutError after two minutes
[[nodiscard]] Inspection check_syntax(const ProvisionStep& step);

/// The same for style and known mistakes: ansible-lint, puppet-lint, shellcheck. Their configuration files beside the
/// manifest (`.ansible-lint`, `.puppet-lint.rc`, `.shellcheckrc`) hold.
[[nodiscard]] Inspection lint(const ProvisionStep& step);

/// "site.yml:12: error: Use FQCN for builtin module actions [fqcn]"
[[nodiscard]] std::string to_string(const Finding& finding);

}  // namespace mayfly
