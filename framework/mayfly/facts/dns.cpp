#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "mayfly/exec/files.h"
#include "mayfly/exec/socket.h"
#include "mayfly/facts/dns_message.h"
#include "mayfly/facts/network_facts.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

using Kind = DnsAnswer::Kind;

struct ServerAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] int family() const { return storage.ss_family; }
};

// Nothing for what is no address.
std::optional<ServerAddress> server_address(const std::string& text) {
  constexpr std::uint16_t kDnsPort = 53;
  ServerAddress address;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(kDnsPort);
    std::memcpy(&address.storage, &v4, address.size = sizeof v4);
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(kDnsPort);
    std::memcpy(&address.storage, &v6, address.size = sizeof v6);
  } else {
    return std::nullopt;
  }
  return address;
}

bool ready(const UniqueFd& socket, short events, const Deadline& deadline) {
  pollfd waiting{.fd = socket.get(), .events = events, .revents = 0};
  return ::poll(&waiting, 1, deadline.poll_timeout()) > 0;
}

// Exactly `size` bytes of a stream; nothing when they don't come in time.
std::optional<std::string> receive_exactly(const UniqueFd& socket, std::size_t size, const Deadline& deadline) {
  std::string data;
  std::array<char, 4096> piece{};
  while (data.size() < size) {
    if (!ready(socket, POLLIN, deadline)) return std::nullopt;
    const ssize_t got = ::recv(socket.get(), piece.data(), std::min(piece.size(), size - data.size()), 0);
    if (got <= 0) return std::nullopt;
    data.append(piece.data(), static_cast<std::size_t>(got));
  }
  return data;
}

// For answers that don't fit a datagram: the same with lengths before the messages.
DnsAnswer ask_by_stream(const Target& target, const ServerAddress& server, std::uint16_t id, const std::string& query,
                        int type, const Deadline& deadline) {
  const UniqueFd socket = open_socket(target, server.family(), SOCK_STREAM | SOCK_NONBLOCK, 0);
  const auto* address = reinterpret_cast<const sockaddr*>(&server.storage);
  if (::connect(socket.get(), address, server.size) != 0 && errno != EINPROGRESS) return {};
  if (!ready(socket, POLLOUT, deadline)) return {};
  std::string framed{static_cast<char>(query.size() >> 8U), static_cast<char>(query.size() & 0xFFU)};
  framed += query;
  if (::send(socket.get(), framed.data(), framed.size(), MSG_NOSIGNAL) != std::ssize(framed)) return {};
  const auto size = receive_exactly(socket, 2, deadline);
  if (!size) return {};
  const auto high = static_cast<unsigned char>((*size)[0]);
  const auto low = static_cast<unsigned char>((*size)[1]);
  const auto message = receive_exactly(socket, (std::size_t{high} << 8U) + low, deadline);
  return message ? parse_dns_answer(id, type, *message) : DnsAnswer{};
}

// Kind::foreign when no answer came in time.
DnsAnswer ask(const Target& target, const ServerAddress& server, const std::string& name, int type,
              const Deadline& deadline) {
  std::uint16_t id = 0;
  if (::getrandom(&id, sizeof id, 0) != sizeof id) throw SystemError("get random bytes");
  const auto query = dns_query(id, name, type);
  if (!query) return {.kind = Kind::no_such_name};
  const UniqueFd socket = open_socket(target, server.family(), SOCK_DGRAM, 0);
  // Connected, so that only the server's own answers are let in, and a closed port is told at once.
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&server.storage), server.size) != 0 ||
      ::send(socket.get(), query->data(), query->size(), 0) < 0) {
    return {};
  }
  std::array<char, 65'536> buffer{};
  while (ready(socket, POLLIN, deadline)) {
    const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) return {};  // ECONNREFUSED
    DnsAnswer answer = parse_dns_answer(id, type, {buffer.data(), static_cast<std::size_t>(size)});
    if (answer.kind == Kind::truncated) return ask_by_stream(target, server, id, *query, type, deadline);
    if (answer.kind != Kind::foreign) return answer;
  }
  return {};
}

// 192.0.2.1 -> 1.2.0.192.in-addr.arpa
std::string reverse_name(const std::string& name) {
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, name.c_str(), &v4) == 1) {
    std::array<unsigned char, 4> bytes{};
    std::memcpy(bytes.data(), &v4, bytes.size());
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", bytes[3], bytes[2], bytes[1], bytes[0]);
  }
  if (::inet_pton(AF_INET6, name.c_str(), &v6) != 1) return name;
  std::string reversed;
  for (int i = 15; i >= 0; --i) reversed += fmt::format("{:x}.{:x}.", v6.s6_addr[i] & 0xFU, v6.s6_addr[i] >> 4U);
  return reversed + "ip6.arpa";
}

std::string text_or_nothing(const Target& target, const std::string& path) {
  const auto status = file_status(target, path);
  return status && S_ISREG(status->mode) ? read_file(target, path) : std::string();
}

bool is_address(const std::string& name) { return server_address(name).has_value(); }

std::vector<std::string> candidates(const std::string& name, const ResolverSettings& settings) {
  std::vector<std::string> names;
  const bool absolute = name.ends_with('.');
  const bool has_dot = name.find('.') != std::string::npos;
  if (absolute || has_dot) names.push_back(name);
  if (!absolute) {
    for (const std::string& domain : settings.search) names.push_back(fmt::format("{}.{}", name, domain));
  }
  if (!absolute && !has_dot) names.push_back(name);
  return names;
}

}  // namespace

DnsFact dns(const Target& target, const std::string& name, const DnsOptions& options) {
  DnsFact fact{.name = name, .type = options.type};
  const bool addresses_wanted = options.type.empty() || options.type == "A" || options.type == "AAAA";
  if (addresses_wanted && options.server.empty()) {
    std::vector<std::string> known = addresses_in_hosts(text_or_nothing(target, "/etc/hosts"), name);
    if (is_address(name)) known = {name};
    std::copy_if(known.begin(), known.end(), std::back_inserter(fact.answers), [&](const std::string& address) {
      const bool is_v6 = address.find(':') != std::string::npos;
      return options.type.empty() || (options.type == "AAAA") == is_v6;
    });
    if (fact.resolves()) return fact;
  }
  ResolverSettings settings = parse_resolv_conf(text_or_nothing(target, "/etc/resolv.conf"));
  if (!options.server.empty()) settings.servers = {options.server};
  std::vector<int> types{dns_type(options.type)};
  if (options.type.empty()) types = {dns_type("A"), dns_type("AAAA")};
  if (types.front() == 0) throw Error(fmt::format("'{}' is no DNS record type that is known here", options.type));
  const std::string asked = options.type == "PTR" ? reverse_name(name) : name;

  const Deadline deadline = Deadline::after(options.timeout);
  const Milliseconds share = options.timeout / std::max<std::int64_t>(1, std::ssize(settings.servers));
  for (const std::string& server : settings.servers) {
    const auto address = server_address(server);
    if (!address) {
      fact.trouble = fmt::format("'{}' is no server's address", server);
      continue;
    }
    const Deadline own = Deadline::after(std::min(share, deadline.left()));
    for (const std::string& candidate : candidates(asked, settings)) {
      for (const int type : types) {
        DnsAnswer answer = ask(target, *address, candidate, type, own);
        if (answer.kind == Kind::foreign) {
          fact.trouble = fmt::format("no answer from {}", server);
        } else if (answer.kind == Kind::failure) {
          fact.trouble = fmt::format("{} fails to answer", server);
        } else {
          fact.trouble = answer.kind == Kind::no_such_name ? "no such name" : "no records";
        }
        fact.answers.insert(fact.answers.end(), answer.records.begin(), answer.records.end());
      }
      if (fact.resolves()) {
        fact.trouble.clear();
        return fact;
      }
    }
    // A server that knows better has spoken.
    if (fact.trouble == "no such name" || fact.trouble == "no records") return fact;
  }
  return fact;
}

}  // namespace mayfly
