#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/facts/machine_facts.h"

namespace mayfly {

// The texts that machine_facts.h reads, as values.

/// @param mountinfo text of /proc/<pid>/mountinfo
[[nodiscard]] MountFact find_mount(std::string_view mountinfo, std::string_view path);
/// @param cmdline text of /proc/cmdline
[[nodiscard]] KernelParameterFact find_kernel_parameter(std::string_view cmdline, std::string_view name);
/// /proc/sys/... of a sysctl's name.
[[nodiscard]] std::string sysctl_path(std::string_view name);
/// @param user whose crontab it is; empty for system crontabs, which name the user in each line
[[nodiscard]] std::vector<CronFact::Entry> parse_crontab(std::string_view text, std::string_view user,
                                                         std::string_view file);
/// The ports that sockets of these inodes listen on.
/// @param table text of /proc/<pid>/net/tcp, tcp6, udp or udp6
[[nodiscard]] std::vector<int> ports_of_sockets(std::string_view table, const std::set<std::string>& inodes,
                                                bool is_tcp);
/// Whether cron(8) reads a file of this name in /etc/cron.d: no dots, for one.
[[nodiscard]] bool is_crontab_name(std::string_view name);

}  // namespace mayfly
