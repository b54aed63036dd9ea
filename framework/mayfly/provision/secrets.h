#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/profile/profile.h"
#include "mayfly/provision/provision.h"
#include "mayfly/provision/verdict.h"

namespace mayfly {

/// The values of a step's secrets, by name.
/// @throws Error that names the secret and its source, never its value: not set, not readable, shorter than 4
/// characters (it could not be masked without hiding ordinary words)
[[nodiscard]] std::map<std::string, std::string> read_secrets(const std::map<std::string, SecretSource>& sources);

/// The step with each secret where its tool takes it: an environment variable of a script, a variable of a playbook (in
/// a file), a fact of Puppet (in the environment). Never on a command line.
[[nodiscard]] ProvisionStep with_secrets(ProvisionStep step, const std::map<std::string, std::string>& secrets);

/// Replaces secrets by `********` in what is shown and kept: as they are, each line of one with several lines, and as
/// JSON, Python and a shell quote them.
class SecretMask {
 public:
  SecretMask() = default;
  explicit SecretMask(const std::map<std::string, std::string>& secrets);

  [[nodiscard]] bool empty() const noexcept { return texts_.empty(); }
  [[nodiscard]] std::string operator()(std::string_view text) const;
  void apply(TaskResult& task) const;
  void apply(Verdict& verdict) const;
  /// Rewrites the regular files below a directory that hold a secret.
  void apply(const std::filesystem::path& directory) const;

 private:
  std::vector<std::string> texts_;  // longest first
};

/// For all secrets of some steps. @throws as read_secrets() does
[[nodiscard]] SecretMask mask_of(const std::vector<ProvisionStep>& steps);

}  // namespace mayfly
