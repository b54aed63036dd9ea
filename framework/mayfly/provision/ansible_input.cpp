#include "mayfly/provision/ansible_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "mayfly/support/error.h"

namespace mayfly {

std::string ansible_inventory(const AnsibleHost& host) {
  // Deadline's clock is CLOCK_MONOTONIC, which the connection plugin reads too.
  const auto deadline = std::chrono::duration_cast<Milliseconds>(host.deadline.time_since_epoch()).count();
  // Values in quotes: the INI format reads them as Python literals.
  return fmt::format(
      "{} ansible_connection=mayfly mayfly_init_pid={} mayfly_enter=\"{}\" mayfly_deadline={}"
      " ansible_become_method=mayfly ansible_pipelining=true ansible_python_interpreter=\"{}\""
      " ansible_remote_tmp=\"{}\" ansible_async_dir=\"{}/async\"\n",
      host.host, host.init_pid, host.enter.string(), deadline, host.python, host.scratch, host.scratch);
}

bool is_inventory_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

}  // namespace mayfly
