#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

// DNS messages (RFC 1035) and the two files of the resolver, as values.

/// @return the query, or nothing for a name that is too long or has an empty label
[[nodiscard]] std::optional<std::string> dns_query(std::uint16_t id, std::string_view name, int type);

struct DnsAnswer {
  enum class Kind { answer, no_such_name, failure, truncated, foreign } kind = Kind::foreign;
  std::vector<std::string> records{};  ///< those of the type that was asked for
};
/// `foreign`: no answer to the query of this id.
[[nodiscard]] DnsAnswer parse_dns_answer(std::uint16_t id, int type, std::string_view message);

/// The number of a record type's name; 0 for an unknown one.
[[nodiscard]] int dns_type(std::string_view name);

struct ResolverSettings {
  std::vector<std::string> servers{};  ///< 127.0.0.1 when none is written, as resolv.conf(5) has it
  std::vector<std::string> search{};
};
[[nodiscard]] ResolverSettings parse_resolv_conf(std::string_view text);

/// A name's addresses in hosts(5).
[[nodiscard]] std::vector<std::string> addresses_in_hosts(std::string_view hosts, std::string_view name);

}  // namespace mayfly
