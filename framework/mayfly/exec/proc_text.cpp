#include "mayfly/exec/proc_text.h"

#include <algorithm>
#include <charconv>

namespace mayfly {
namespace {

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  for (std::size_t at = 0; (at = line.find_first_not_of(" \t", at)) != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
    found.push_back(line.substr(at, end - at));
    at = end;
  }
  return found;
}

template <typename Number>
bool parse_number(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

/// Whether the comma-separated `list` has `item`.
bool lists(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == item) {
      return true;
    }
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

IdTranslation IdTranslation::parse(std::string_view id_map) {
  IdTranslation ids;
  while (!id_map.empty()) {
    const auto fields = words(take_line(id_map));
    Range range{};
    if (fields.size() == 3 && parse_number(fields[0], range.inside) && parse_number(fields[1], range.outside) &&
        parse_number(fields[2], range.count)) {
      ids.ranges_.push_back(range);
    }
  }
  return ids;
}

std::optional<std::uint32_t> IdTranslation::to_host(std::uint32_t inside) const {
  for (const Range& range : ranges_) {
    if (inside >= range.inside && inside - range.inside < range.count) {
      return range.outside + (inside - range.inside);
    }
  }
  return std::nullopt;
}

std::uint32_t IdTranslation::to_container(std::uint32_t outside) const {
  for (const Range& range : ranges_) {
    if (outside >= range.outside && outside - range.outside < range.count) {
      return range.inside + (outside - range.outside);
    }
  }
  return kOverflow;
}

std::vector<CgroupMembership> parse_cgroup_memberships(std::string_view proc_cgroup) {
  std::vector<CgroupMembership> memberships;
  while (!proc_cgroup.empty()) {
    const std::string_view line = take_line(proc_cgroup);
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second != std::string_view::npos) {
      memberships.push_back(
          {std::string(line.substr(first + 1, second - first - 1)), std::string(line.substr(second + 1))});
    }
  }
  return memberships;
}

std::optional<std::string> cgroup_directory(std::string_view mountinfo, const CgroupMembership& cgroup) {
  const std::string_view type = cgroup.controllers.empty() ? "cgroup2" : "cgroup";
  // One controller finds the hierarchy: those of one hierarchy are mounted together.
  const std::string_view controller = std::string_view(cgroup.controllers).substr(0, cgroup.controllers.find(','));
  while (!mountinfo.empty()) {
    const auto fields = words(take_line(mountinfo));
    // "36 35 98:0 ROOT MOUNT_POINT OPTIONS [TAG...] - TYPE SOURCE SUPER_OPTIONS"
    const auto separator = std::find(fields.begin(), fields.end(), "-");
    if (fields.end() - separator < 4 || separator[1] != type ||
        (!controller.empty() && !lists(separator[3], controller))) {
      continue;
    }
    std::string_view root = fields[3];
    if (root == "/") {
      root = "";
    }
    // A path with ".." lies outside of the reader's cgroup namespace.
    const std::string_view path = cgroup.path;
    if (!path.starts_with(root) || path.starts_with("/..") || (path.size() > root.size() && path[root.size()] != '/')) {
      continue;
    }
    return std::string(fields[4]) + std::string(path.substr(root.size()));
  }
  return std::nullopt;
}

std::string_view status_field(std::string_view status, std::string_view name) {
  while (!status.empty()) {
    std::string_view line = take_line(status);
    if (line.starts_with(name) && line.substr(name.size()).starts_with(":")) {
      line.remove_prefix(name.size() + 1);
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      return line;
    }
  }
  return {};
}

std::vector<ListeningSocket> parse_listening_sockets(std::string_view proc_net_tcp) {
  constexpr std::string_view kListen = "0A";  // TCP_LISTEN of include/net/tcp_states.h
  std::vector<ListeningSocket> sockets;
  while (!proc_net_tcp.empty()) {
    const auto fields = words(take_line(proc_net_tcp));
    if (fields.size() < 4 || fields[3] != kListen) {
      continue;
    }
    const std::size_t colon = fields[1].find(':');
    ListeningSocket socket;
    if (colon != std::string_view::npos && parse_number(fields[1].substr(colon + 1), socket.port, 16)) {
      socket.address = fields[1].substr(0, colon);
      sockets.push_back(std::move(socket));
    }
  }
  return sockets;
}

}  // namespace mayfly
