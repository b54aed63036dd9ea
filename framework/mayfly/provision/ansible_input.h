#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "mayfly/support/deadline.h"

namespace mayfly {

/// What the inventory tells about the container.
struct AnsibleHost {
  std::string host;
  pid_t init_pid = 0;
  std::filesystem::path enter;  ///< the program mayfly-enter
  Deadline::Clock::time_point deadline{};
  std::string scratch;  ///< an existing directory in the container, open to all users
  std::string python;
};

/// An inventory with one host, as text (INI). Host variables, because an option such as `-c` or an environment variable
/// would hold for localhost too, which playbooks may delegate to.
[[nodiscard]] std::string ansible_inventory(const AnsibleHost& host);

/// True for what can stand in an inventory as a name: letters, digits, '-', '_', '.'.
[[nodiscard]] bool is_inventory_name(std::string_view name);

}  // namespace mayfly
