#include "mayfly/facts/databases.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace mayfly {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end = 0; end != std::string_view::npos; text.remove_prefix(end + 1)) {
    end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      break;
    }
  }
  return parts;
}

template <typename Number>
bool read_number(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

struct GroupLine {
  std::string_view name;
  gid_t gid = 0;
  std::vector<std::string_view> members;
};

std::vector<GroupLine> group_lines(std::string_view group) {
  std::vector<GroupLine> lines;
  for (const std::string_view line : split(group, '\n')) {
    const auto fields = split(line, ':');
    GroupLine entry;
    if (fields.size() < 4 || !read_number(fields[2], entry.gid)) {
      continue;
    }
    entry.name = fields[0];
    for (const std::string_view member : split(fields[3], ',')) {
      if (!member.empty()) {
        entry.members.push_back(member);
      }
    }
    lines.push_back(std::move(entry));
  }
  return lines;
}

// "Version: 1.2" of one paragraph of a control file.
std::string_view control_field(std::string_view paragraph, std::string_view field) {
  for (const std::string_view line : split(paragraph, '\n')) {
    if (line.starts_with(field) && line.substr(field.size()).starts_with(": ")) {
      return line.substr(field.size() + 2);
    }
  }
  return {};
}

// The kernel prints an address as 32-bit words in the machine's byte order (net/ipv4/tcp_ipv4.c).
std::string printed_address(std::string_view hex) {
  std::array<std::uint32_t, 4> words{};
  const std::size_t count = hex.size() / 8;
  if (count != 1 && count != 4) {
    return std::string(hex);
  }
  for (std::size_t i = 0; i < count; ++i) {
    read_number(hex.substr(8 * i, 8), words[i], 16);
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(count == 1 ? AF_INET : AF_INET6, words.data(), text.data(), text.size());
  return text.data();
}

}  // namespace

UserFact find_user(std::string_view passwd, std::string_view group, std::string_view name) {
  UserFact user{.name = std::string(name)};
  for (const std::string_view line : split(passwd, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 7 || fields[0] != name || !read_number(fields[2], user.uid) ||
        !read_number(fields[3], user.gid)) {
      continue;
    }
    user.exists = true;
    user.gecos = fields[4];
    user.home = fields[5];
    user.shell = fields[6];
    break;
  }
  if (user.exists) {
    user.groups.push_back(name_of_id(group, user.gid));
    for (const GroupLine& entry : group_lines(group)) {
      const bool member = std::find(entry.members.begin(), entry.members.end(), name) != entry.members.end();
      if (member && entry.gid != user.gid) {
        user.groups.emplace_back(entry.name);
      }
    }
  }
  return user;
}

GroupFact find_group(std::string_view group, std::string_view name) {
  GroupFact fact{.name = std::string(name)};
  for (const GroupLine& entry : group_lines(group)) {
    if (entry.name == name) {
      fact.exists = true;
      fact.gid = entry.gid;
      fact.members.assign(entry.members.begin(), entry.members.end());
      break;
    }
  }
  return fact;
}

std::string name_of_id(std::string_view database, std::uint32_t id) {
  for (const std::string_view line : split(database, '\n')) {
    const auto fields = split(line, ':');
    std::uint32_t number = 0;
    if (fields.size() >= 3 && read_number(fields[2], number) && number == id) {
      return std::string(fields[0]);
    }
  }
  return std::to_string(id);
}

PackageFact find_package(std::string_view status, std::string_view name) {
  PackageFact package{.name = std::string(name)};
  const std::size_t colon = name.find(':');
  const std::string_view wanted = name.substr(0, colon);
  const std::string_view architecture = colon == std::string_view::npos ? "" : name.substr(colon + 1);
  while (!status.empty()) {
    const std::size_t end = status.find("\n\n");
    const std::string_view paragraph = status.substr(0, end);
    status = end == std::string_view::npos ? std::string_view{} : status.substr(end + 2);
    if (control_field(paragraph, "Package") != wanted ||
        (!architecture.empty() && control_field(paragraph, "Architecture") != architecture)) {
      continue;
    }
    // "install ok installed", "hold ok installed"; "deinstall ok config-files" is a package that was removed.
    if (control_field(paragraph, "Status").ends_with(" ok installed")) {
      package.installed = true;
      package.version = control_field(paragraph, "Version");
      package.held = control_field(paragraph, "Status").starts_with("hold ");
      break;
    }
  }
  return package;
}

std::vector<BoundAddress> listening_sockets(std::string_view table, bool is_tcp) {
  constexpr unsigned kTcpListen = 0x0A;
  constexpr unsigned kUdpUnconnected = 0x07;
  std::vector<BoundAddress> sockets;
  for (const std::string_view line : split(table, '\n')) {
    // "  0: 0100007F:1F90 00000000:0000 0A ..."
    std::vector<std::string_view> fields;
    for (const std::string_view field : split(line, ' ')) {
      if (!field.empty()) {
        fields.push_back(field);
      }
    }
    unsigned local_port = 0;
    unsigned state = 0;
    const std::size_t colon = fields.size() < 4 ? std::string_view::npos : fields[1].find(':');
    if (colon == std::string_view::npos || !read_number(fields[1].substr(colon + 1), local_port, 16) ||
        !read_number(fields[3], state, 16)) {
      continue;
    }
    if (state == (is_tcp ? kTcpListen : kUdpUnconnected)) {
      BoundAddress bound{printed_address(fields[1].substr(0, colon)), static_cast<int>(local_port)};
      // Several sockets share an address with SO_REUSEPORT.
      if (std::find(sockets.begin(), sockets.end(), bound) == sockets.end()) {
        sockets.push_back(std::move(bound));
      }
    }
  }
  return sockets;
}

std::vector<std::string> listening_addresses(std::string_view table, int port, bool is_tcp) {
  std::vector<std::string> addresses;
  for (BoundAddress& bound : listening_sockets(table, is_tcp)) {
    if (bound.port == port) {
      addresses.push_back(std::move(bound.address));
    }
  }
  return addresses;
}

ServiceFact parse_service(std::string_view name, std::string_view properties) {
  ServiceFact service{.name = std::string(name)};
  for (const std::string_view line : split(properties, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      continue;
    }
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "LoadState") {
      service.exists = value != "not-found";
    } else if (key == "ActiveState") {
      service.active_state = value;
    } else if (key == "SubState") {
      service.sub_state = value;
    } else if (key == "UnitFileState") {
      service.enabled_state = value;
    }
  }
  return service;
}

}  // namespace mayfly
