#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/facts/facts.h"

namespace mayfly {

// The texts that facts are read from, as values: a container's passwd(5), group(5), dpkg's status file, /proc/net and
// systemctl's output.

[[nodiscard]] UserFact find_user(std::string_view passwd, std::string_view group, std::string_view name);
[[nodiscard]] GroupFact find_group(std::string_view group, std::string_view name);

/// The name of an id in passwd(5) or group(5), or the number itself.
[[nodiscard]] std::string name_of_id(std::string_view database, std::uint32_t id);

/// @param status text of /var/lib/dpkg/status
/// @param name with or without an architecture: "libc6", "libc6:amd64"
[[nodiscard]] PackageFact find_package(std::string_view status, std::string_view name);

/// A bound socket's address, in the usual notation, and port.
struct BoundAddress {
  std::string address;
  int port = 0;
  friend bool operator==(const BoundAddress&, const BoundAddress&) = default;
};
/// @param table text of /proc/<pid>/net/tcp, tcp6, udp or udp6
/// @param is_tcp only sockets in state LISTEN count; bound and unconnected ones for UDP
[[nodiscard]] std::vector<BoundAddress> listening_sockets(std::string_view table, bool is_tcp);

/// Addresses that a port is bound to, in the usual notation; @see listening_sockets().
[[nodiscard]] std::vector<std::string> listening_addresses(std::string_view table, int port, bool is_tcp);

/// @param properties output of `systemctl show -p LoadState,ActiveState,SubState,UnitFileState`
[[nodiscard]] ServiceFact parse_service(std::string_view name, std::string_view properties);

}  // namespace mayfly
