#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// What a StateChange is about, in the order of reports.
enum class ResourceKind {
  file,  ///< also directories, links, devices
  package,
  unit,  ///< a systemd unit: services, timers, ...
  user,
  group,
  port,
  mount,
  sysctl,
  environment,  ///< of systemd's services, see systemctl show-environment
};

/// "file", "package", ...
[[nodiscard]] std::string_view to_string(ResourceKind kind);
/// The kind of that name. @throws Error when there is none
[[nodiscard]] ResourceKind resource_kind(std::string_view name);

/// One aspect of a resource at two moments: `mode: 0644 -> 0600`.
struct AspectChange {
  std::string aspect;    ///< "content", "mode", "owner", "xattr user.x", "version", "enabled", ...
  std::string before{};  ///< "" where there was none
  std::string after{};
  friend bool operator==(const AspectChange&, const AspectChange&) = default;
};

/// One difference between two moments of a machine.
struct StateChange {
  enum class Kind { added, modified, removed };
  ResourceKind resource{};
  std::string name;  ///< "/etc/nginx/nginx.conf", "nginx-light", "nginx.service", "tcp 0.0.0.0:80"
  Kind kind{};
  std::vector<AspectChange> aspects{};  ///< what differs; of an added or removed resource what is worth telling
  /// When a file was last changed (its ctime), a new directory was made, or at the latest something was removed; the
  /// epoch where that is unknown.
  std::chrono::system_clock::time_point when{};
  /// A unified diff of a text file's content, when both moments are known and it is short; else empty.
  std::string text_diff{};
  /// The task that did it, "install nginx (site.yml:12)"; empty when unknown.
  std::string task{};
  friend bool operator==(const StateChange&, const StateChange&) = default;
};

/// A change that doesn't count, and why.
struct IgnoredChange {
  StateChange change;
  std::string reason;  ///< "apt's cache", "changes by itself: seen in the control run", a profile's own
  friend bool operator==(const IgnoredChange&, const IgnoredChange&) = default;
};

/// All differences between two moments of a machine, sorted by resource and name.
struct StateDiff {
  std::vector<StateChange> changes{};
  std::vector<IgnoredChange> ignored{};
  [[nodiscard]] bool empty() const noexcept { return changes.empty(); }
};

/// One line a change, aspects after it, a text diff below:
/// ```
/// modified  file /etc/nginx/nginx.conf: content, mode 0644 -> 0600 (by template config, site.yml:12)
/// added     package nginx-light: version 1.22.1-9
/// ```
/// At most `most` changes; the last line tells how many more there are. Empty for an empty diff. Control characters and
/// bytes that are no UTF-8 are shown as `\x1b`.
[[nodiscard]] std::string render(const StateDiff& diff, std::size_t most = 40);

}  // namespace mayfly
