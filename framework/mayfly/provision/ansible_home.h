#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "mayfly/profile/profile.h"
#include "mayfly/support/file_io.h"

namespace mayfly {

/// What Ansible's programs need on the host to run a step without writing to the user's home: a directory of their own,
/// removed with the object, with `home`, `vars.json` and, where the playbook has none beside it, an empty
/// `ansible.cfg` (one elsewhere would make the outcome depend on whose machine this is).
class AnsibleHome {
 public:
  /// @param parent where the directory is made; empty: the system's place for temporary files
  AnsibleHome(const AnsibleStep& step, const std::filesystem::path& parent);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return directory_.path(); }
  /// The argument of `-e`: the step's variables, in a file.
  [[nodiscard]] std::string vars_argument() const { return "@" + (path() / "vars.json").string(); }
  /// The whole environment of an Ansible program. What the user has installed in the home is still found.
  [[nodiscard]] std::map<std::string, std::string> environment() const;

 private:
  [[nodiscard]] std::string configured(const std::set<std::string_view>& keys) const;

  TempDir directory_;
  std::filesystem::path installed_;
  std::filesystem::path config_;
  std::filesystem::path vault_password_file_;
};

}  // namespace mayfly
