#include "mayfly/facts/dns_message.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <sstream>

namespace mayfly {
namespace {

struct TypeName {
  std::string_view name;
  ns_type type;
};
constexpr std::array<TypeName, 8> kTypes{{{"A", ns_t_a},
                                          {"AAAA", ns_t_aaaa},
                                          {"CNAME", ns_t_cname},
                                          {"MX", ns_t_mx},
                                          {"NS", ns_t_ns},
                                          {"PTR", ns_t_ptr},
                                          {"SRV", ns_t_srv},
                                          {"TXT", ns_t_txt}}};

void append16(std::string& text, unsigned value) {
  text += static_cast<char>(value >> 8U & 0xFFU);
  text += static_cast<char>(value & 0xFFU);
}

unsigned number16(const unsigned char* at) { return static_cast<unsigned>(at[0]) << 8U | at[1]; }

// A compressed name at `at`; without the last dot.
std::string name_at(const ns_msg& message, const unsigned char* at) {
  std::array<char, NS_MAXDNAME> name{};
  if (::dn_expand(ns_msg_base(message), ns_msg_end(message), at, name.data(), name.size()) < 0) return {};
  return name.data();
}

std::string record_text(const ns_msg& message, const ns_rr& record) {
  const unsigned char* data = ns_rr_rdata(record);
  const std::size_t size = ns_rr_rdlen(record);
  std::array<char, INET6_ADDRSTRLEN> address{};
  switch (ns_rr_type(record)) {
    case ns_t_a:
      return size == 4 ? ::inet_ntop(AF_INET, data, address.data(), address.size()) : "";
    case ns_t_aaaa:
      return size == 16 ? ::inet_ntop(AF_INET6, data, address.data(), address.size()) : "";
    case ns_t_mx:
      return size < 3 ? "" : fmt::format("{} {}", number16(data), name_at(message, data + 2));
    case ns_t_srv:
      return size < 7 ? ""
                      : fmt::format("{} {} {} {}", number16(data), number16(data + 2), number16(data + 4),
                                    name_at(message, data + 6));
    case ns_t_txt: {
      std::string text;
      for (std::size_t at = 0; at < size && at + 1 + data[at] <= size; at += 1 + data[at]) {
        text.append(reinterpret_cast<const char*>(data) + at + 1, data[at]);
      }
      return text;
    }
    default:
      return name_at(message, data);
  }
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line.substr(0, line.find_first_of("#;")));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(std::move(word));
  return words;
}

}  // namespace

std::optional<std::string> dns_query(std::uint16_t id, std::string_view name, int type) {
  constexpr std::size_t kLongestLabel = 63;
  constexpr std::size_t kLongestName = 253;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kLongestName) return std::nullopt;
  std::string query;
  append16(query, id);
  append16(query, 0x0100);  // recursion desired
  append16(query, 1);       // one question
  query.append(6, '\0');
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    if (label.empty() || label.size() > kLongestLabel) return std::nullopt;
    query += static_cast<char>(label.size());
    query += label;
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  query += '\0';
  append16(query, static_cast<unsigned>(type));
  append16(query, ns_c_in);
  return query;
}

DnsAnswer parse_dns_answer(std::uint16_t id, int type, std::string_view text) {
  ns_msg message{};
  const auto* data = reinterpret_cast<const unsigned char*>(text.data());
  if (::ns_initparse(data, static_cast<int>(text.size()), &message) != 0 || ns_msg_id(message) != id ||
      ns_msg_getflag(message, ns_f_qr) == 0) {
    return {};
  }
  if (ns_msg_getflag(message, ns_f_tc) != 0) return {.kind = DnsAnswer::Kind::truncated};
  const int code = ns_msg_getflag(message, ns_f_rcode);
  if (code == ns_r_nxdomain) return {.kind = DnsAnswer::Kind::no_such_name};
  if (code != ns_r_noerror) return {.kind = DnsAnswer::Kind::failure};
  DnsAnswer answer{.kind = DnsAnswer::Kind::answer};
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record{};
    if (::ns_parserr(&message, ns_s_an, i, &record) != 0) return {.kind = DnsAnswer::Kind::failure};
    if (ns_rr_type(record) == type) answer.records.push_back(record_text(message, record));
  }
  return answer;
}

int dns_type(std::string_view name) {
  const auto found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeName& type) { return type.name == name; });
  return found == kTypes.end() ? 0 : found->type;
}

ResolverSettings parse_resolv_conf(std::string_view text) {
  ResolverSettings settings;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) {
    const std::vector<std::string> words = words_of(line);
    if (words.size() < 2) continue;
    if (words[0] == "nameserver") {
      settings.servers.push_back(words[1]);
    } else if (words[0] == "search" || words[0] == "domain") {
      settings.search.assign(words.begin() + 1, words.end());
    }
  }
  if (settings.servers.empty()) settings.servers.emplace_back("127.0.0.1");
  return settings;
}

std::vector<std::string> addresses_in_hosts(std::string_view hosts, std::string_view name) {
  const auto same = [&](const std::string& other) {
    return std::equal(name.begin(), name.end(), other.begin(), other.end(),
                      [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
  };
  std::vector<std::string> addresses;
  std::istringstream stream{std::string(hosts)};
  for (std::string line; std::getline(stream, line);) {
    const std::vector<std::string> words = words_of(line);
    if (words.size() > 1 && std::any_of(words.begin() + 1, words.end(), same)) addresses.push_back(words.front());
  }
  return addresses;
}

}  // namespace mayfly
