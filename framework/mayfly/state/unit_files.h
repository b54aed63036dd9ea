#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "mayfly/state/root_tree.h"

namespace mayfly {

/// What `systemctl enable` would do with a unit: the [Install] section of its file.
struct InstallSection {
  bool has_rules = false;  ///< WantedBy, RequiredBy, UpheldBy or Alias
  bool has_also = false;
  std::set<std::string, std::less<>> aliases{};
  void read(std::string_view unit_file);
};

/// The units of a root file system with their states as `systemctl list-unit-files` names them: "enabled", "disabled",
/// "static", "indirect", "alias", "masked", "linked" (src/shared/install.c: unit_file_lookup_state()). Read from the
/// files, since systemctl takes half a second for them, and since a machine that doesn't run has them, too. What is in
/// /run isn't seen: generated units, and what is enabled until the next boot.
[[nodiscard]] std::map<std::string, std::string> unit_file_states(const RootTree& root);

}  // namespace mayfly
