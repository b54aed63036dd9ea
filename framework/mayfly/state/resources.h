#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/state/state_diff.h"

namespace mayfly {

/// What is to be told of one resource: aspect -> value.
using Aspects = std::map<std::string, std::string>;
/// All resources of a kind by name.
using Resources = std::map<std::string, Aspects>;

// The texts that tell of a machine's resources, as values.

/// @param status the paragraphs of /var/lib/dpkg/status. Packages of a foreign architecture are "name:arch".
[[nodiscard]] Resources packages_in(std::string_view status);

/// From passwd(5), group(5), shadow(5). Aspects: uid, group, groups, home, shell, gecos, password (as it is stored:
/// never to be shown), aging, expires.
[[nodiscard]] Resources users_in(std::string_view passwd, std::string_view group, std::string_view shadow);
[[nodiscard]] Resources groups_in(std::string_view group, std::string_view gshadow);

/// id -> name of passwd(5) or group(5).
[[nodiscard]] std::map<std::uint32_t, std::string> names_of_ids(std::string_view database);

/// The services, timers, sockets, targets, paths, automounts and swaps of unit_file_states(). Aspect: enabled.
[[nodiscard]] Resources units_from(const std::map<std::string, std::string>& unit_files);
/// Adds what runs. Aspects: active ("inactive", too, for what isn't loaded), state.
/// @param units output of `systemctl list-units --all --full --plain --no-legend`
void add_running_units(std::string_view units, Resources& resources);

/// @param table text of /proc/<pid>/net/`protocol`: tcp, tcp6, udp or udp6. "tcp 0.0.0.0:80", "udp [::]:53"; not what
///   an UDP client uses for a while (the kernel's range of local ports)
void add_ports(std::string_view protocol, std::string_view table, Resources& ports);

/// @param mountinfo text of /proc/<pid>/mountinfo. By mount point; without the root, which is Mayfly's.
[[nodiscard]] Resources mounts_in(std::string_view mountinfo);

/// Lines "NAME=value" of `systemctl show-environment`.
[[nodiscard]] Resources environment_in(std::string_view lines);

/// What came, went or has other aspects, sorted. Passwords, and variables whose names speak of secrets, are told
/// without their values.
[[nodiscard]] std::vector<StateChange> resource_changes(ResourceKind kind, const Resources& before,
                                                        const Resources& after);

}  // namespace mayfly
