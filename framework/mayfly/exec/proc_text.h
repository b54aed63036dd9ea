#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// Takes the first line off `text`, without its newline.
std::string_view take_line(std::string_view& text);

// The texts of /proc that tell how a container looks from outside, as values (proc(5), cgroups(7), user_namespaces(7)).

/// `/proc/PID/uid_map` or `gid_map`: a container's ids in the reader's numbers.
class IdTranslation {
 public:
  /// What the kernel shows for an id that a user namespace doesn't have (`/proc/sys/kernel/overflowuid`).
  static constexpr std::uint32_t kOverflow = 65'534;

  [[nodiscard]] static IdTranslation parse(std::string_view id_map);
  /// Nothing when the container has no such id.
  [[nodiscard]] std::optional<std::uint32_t> to_host(std::uint32_t inside) const;
  /// kOverflow for ids that the container doesn't have.
  [[nodiscard]] std::uint32_t to_container(std::uint32_t outside) const;

 private:
  struct Range {
    std::uint32_t inside, outside, count;
  };
  std::vector<Range> ranges_;
};

/// One line of `/proc/PID/cgroup`.
struct CgroupMembership {
  std::string controllers;  ///< "memory", "cpu,cpuacct", "name=systemd"; empty for cgroup v2
  std::string path;
};
[[nodiscard]] std::vector<CgroupMembership> parse_cgroup_memberships(std::string_view proc_cgroup);

/// Where a cgroup is in the file system, from `/proc/self/mountinfo`; nothing when its hierarchy isn't mounted or is
/// mounted from a point below.
[[nodiscard]] std::optional<std::string> cgroup_directory(std::string_view mountinfo, const CgroupMembership& cgroup);

/// The value of a `Name:\tvalue` line of `/proc/PID/status`; empty when there is none.
[[nodiscard]] std::string_view status_field(std::string_view status, std::string_view name);

/// A socket of `/proc/PID/net/tcp` or `tcp6` that accepts connections.
struct ListeningSocket {
  std::uint16_t port = 0;
  std::string address;  ///< as the kernel prints it: hexadecimal, "00000000" for any
};
[[nodiscard]] std::vector<ListeningSocket> parse_listening_sockets(std::string_view proc_net_tcp);

}  // namespace mayfly
