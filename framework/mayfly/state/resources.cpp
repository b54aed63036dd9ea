#include "mayfly/state/resources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "mayfly/facts/databases.h"
#include "mayfly/state/lines.h"

namespace mayfly {
namespace {

/// "Version" -> "1.2" of one paragraph of a control file; its first line alone.
std::string_view control_value(std::string_view paragraph, std::string_view field) {
  for (const std::string_view line : words_of(paragraph, '\n')) {
    if (line.starts_with(field) && line.substr(field.size()).starts_with(": ")) {
      return line.substr(field.size() + 2);
    }
  }
  return {};
}

struct Package {
  std::string_view name, architecture, version, status;
};

std::vector<Package> package_paragraphs(std::string_view status) {
  std::vector<Package> packages;
  while (!status.empty()) {
    const std::size_t end = status.find("\n\n");
    const std::string_view paragraph = status.substr(0, end);
    status.remove_prefix(end == std::string_view::npos ? status.size() : end + 2);
    const Package package{.name = control_value(paragraph, "Package"),
                          .architecture = control_value(paragraph, "Architecture"),
                          .version = control_value(paragraph, "Version"),
                          .status = control_value(paragraph, "Status")};
    if (!package.name.empty() && !package.status.ends_with(" not-installed")) {
      packages.push_back(package);
    }
  }
  return packages;
}

void set_unless_empty(Aspects& aspects, const char* name, std::string_view value) {
  if (!value.empty()) {
    aspects[name] = value;
  }
}

/// Lines of at least `count` fields by their first.
std::map<std::string_view, std::vector<std::string_view>> records_of(std::string_view database, std::size_t count) {
  std::map<std::string_view, std::vector<std::string_view>> records;
  for (const std::string_view line : words_of(database, '\n')) {
    std::vector<std::string_view> fields = fields_of(line, ':');
    if (fields.size() >= count && !fields[0].empty()) {
      records.emplace(fields[0], std::move(fields));
    }
  }
  return records;
}

std::string joined(const std::set<std::string_view>& words) { return fmt::format("{}", fmt::join(words, ",")); }

bool is_reported_unit(std::string_view unit) {
  constexpr std::array<std::string_view, 7> kTypes{".service", ".timer",     ".socket", ".target",
                                                   ".path",    ".automount", ".swap"};
  return std::any_of(kTypes.begin(), kTypes.end(), [&](std::string_view type) { return unit.ends_with(type); });
}

/// mountinfo has blanks, newlines and backslashes in octal: "\040".
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ec == std::errc{}) {
      plain += static_cast<char>(code);
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace

Resources packages_in(std::string_view status) {
  const std::vector<Package> packages = package_paragraphs(status);
  // There is no other record of the native architecture in the database.
  std::string_view native;
  for (const Package& package : packages) {
    native = package.name == "dpkg" ? package.architecture : native;
  }
  Resources resources;
  for (const Package& package : packages) {
    const bool foreign = !native.empty() && package.architecture != native && package.architecture != "all";
    std::string name(package.name);
    if (foreign) {
      name += ":" + std::string(package.architecture);
    }
    Aspects& aspects = resources[name];
    set_unless_empty(aspects, "version", package.version);
    // What is usual isn't told.
    set_unless_empty(aspects, "status", package.status == "install ok installed" ? "" : package.status);
  }
  return resources;
}

Resources users_in(std::string_view passwd, std::string_view group, std::string_view shadow) {
  const auto group_names = names_of_ids(group);
  const auto shadows = records_of(shadow, 2);
  std::map<std::string_view, std::set<std::string_view>> groups;
  for (const auto& [name, fields] : records_of(group, 4)) {
    for (const std::string_view member : words_of(fields[3], ',')) {
      groups[member].insert(name);
    }
  }
  Resources users;
  for (const auto& [name, fields] : records_of(passwd, 7)) {
    Aspects& user = users[std::string(name)];
    user["uid"] = fields[2];
    std::uint32_t gid = 0;
    std::from_chars(fields[3].data(), fields[3].data() + fields[3].size(), gid);
    const auto primary = group_names.find(gid);
    user["group"] = primary == group_names.end() ? std::string(fields[3]) : primary->second;
    set_unless_empty(user, "groups", joined(groups[name]));
    set_unless_empty(user, "gecos", fields[4]);
    set_unless_empty(user, "home", fields[5]);
    set_unless_empty(user, "shell", fields[6]);
    set_unless_empty(user, "password", fields[1]);
    if (const auto at = shadows.find(name); at != shadows.end()) {
      set_unless_empty(user, "password", at->second[1]);
      if (at->second.size() >= 9) {
        const auto& aging = at->second;
        user["aging"] = fmt::format("{}", fmt::join(aging.begin() + 2, aging.begin() + 7, ":"));
        set_unless_empty(user, "expires", at->second[7]);
      }
    }
  }
  return users;
}

Resources groups_in(std::string_view group, std::string_view gshadow) {
  const auto shadows = records_of(gshadow, 4);
  Resources groups;
  for (const auto& [name, fields] : records_of(group, 4)) {
    Aspects& aspects = groups[std::string(name)];
    aspects["gid"] = fields[2];
    const std::vector<std::string_view> members = words_of(fields[3], ',');
    set_unless_empty(aspects, "members", joined({members.begin(), members.end()}));
    if (const auto at = shadows.find(name); at != shadows.end()) {
      set_unless_empty(aspects, "password", at->second[1]);
      set_unless_empty(aspects, "administrators", at->second[2]);
    }
  }
  return groups;
}

std::map<std::uint32_t, std::string> names_of_ids(std::string_view database) {
  std::map<std::uint32_t, std::string> names;
  for (const std::string_view line : words_of(database, '\n')) {
    const std::vector<std::string_view> fields = fields_of(line, ':');
    std::uint32_t id = 0;
    if (fields.size() >= 3 &&
        std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), id).ec == std::errc{}) {
      names.emplace(id, fields[0]);  // the first line is what the C library finds
    }
  }
  return names;
}

Resources units_from(const std::map<std::string, std::string>& unit_files) {
  Resources resources;
  for (const auto& [name, state] : unit_files) {
    if (is_reported_unit(name)) {
      resources[name] = {{"enabled", state}};
    }
  }
  return resources;
}

void add_running_units(std::string_view units, Resources& resources) {
  for (auto& [name, aspects] : resources) {
    // Nothing runs of what systemd hasn't loaded. A template never does.
    if (name.find("@.") == std::string::npos) {
      aspects["active"] = "inactive";
    }
  }
  for (const std::string_view line : words_of(units, '\n')) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() < 4 || !is_reported_unit(words[0]) || words[1] == "not-found") {
      continue;
    }
    Aspects& unit = resources[std::string(words[0])];
    unit["active"] = words[2];
    if (words[2] != "inactive") {
      unit["state"] = words[3];
    }
  }
}

void add_ports(std::string_view protocol, std::string_view table, Resources& ports) {
  // net.ipv4.ip_local_port_range as it is by default.
  constexpr int kFirstLocalPort = 32'768;
  const bool tcp = protocol.starts_with("tcp");
  for (const auto& [address, port] : listening_sockets(table, tcp)) {
    if (tcp || port < kFirstLocalPort) {
      const bool six = address.find(':') != std::string::npos;
      ports[fmt::format("{} {}{}{}:{}", protocol.substr(0, 3), six ? "[" : "", address, six ? "]" : "", port)];
    }
  }
}

Resources mounts_in(std::string_view mountinfo) {
  Resources mounts;
  for (const std::string_view line : words_of(mountinfo, '\n')) {
    // "36 35 98:0 ROOT MOUNT_POINT OPTIONS [TAG...] - TYPE SOURCE SUPER_OPTIONS"
    const std::vector<std::string_view> fields = words_of(line);
    const auto separator = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 6 || fields.end() - separator < 4 || fields[4] == "/") {
      continue;
    }
    // Of several on one mount point the last is the one that is seen.
    mounts[unescaped(fields[4])] = {{"type", std::string(separator[1])},
                                    {"source", unescaped(separator[2])},
                                    {"options", fmt::format("{};{}", fields[5], separator[3])}};
  }
  return mounts;
}

Resources environment_in(std::string_view lines) {
  Resources environment;
  for (const std::string_view line : words_of(lines, '\n')) {
    if (const std::size_t equals = line.find('='); equals != std::string_view::npos) {
      environment[std::string(line.substr(0, equals))] = {{"value", std::string(line.substr(equals + 1))}};
    }
  }
  return environment;
}

}  // namespace mayfly
