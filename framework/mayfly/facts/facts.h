#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/exec/files.h"
#include "mayfly/exec/target.h"

namespace mayfly {

// What is true in a container, read when asked: plain values. Files, users, groups and ports are read from outside and
// cost microseconds; services and packages ask systemd and the package database.

struct ServiceFact {
  std::string name;
  bool exists = false;
  std::string active_state;  ///< systemd's ActiveState: "active", "inactive", "failed", ...
  std::string sub_state;     ///< "running", "exited", "dead", ...
  std::string
      enabled_state;     ///< systemd's UnitFileState: "enabled", "disabled", "static", "masked", ...; "" when unknown
  std::string log_tail;  ///< last journal lines when it has failed
  [[nodiscard]] bool running() const { return active_state == "active"; }
  [[nodiscard]] bool enabled() const { return enabled_state == "enabled" || enabled_state == "enabled-runtime"; }
};
[[nodiscard]] ServiceFact service(const Target& target, const std::string& name);

struct PackageFact {
  std::string name;
  bool installed = false;
  std::string version;
  bool held = false;  ///< `apt-mark hold`
};
[[nodiscard]] PackageFact package(const Target& target, const std::string& name);

struct FileFact {
  std::string path;
  std::optional<FileStatus> status;  ///< of the path itself, not of a symlink's target
  std::string owner;                 ///< name from the container's /etc/passwd, else the number
  std::string group;
  std::function<std::string()> read{};  ///< reads the content, through the symlink if it is one
  [[nodiscard]] bool exists() const { return status.has_value(); }
  /// The content now. @throws SystemError (EISDIR, ENOENT, ...)
  [[nodiscard]] std::string content() const { return read(); }
};
[[nodiscard]] FileFact file(const Target& target, const std::string& path);
/// Where a path leads to with all its symlinks followed, as realpath(1) has it; empty when that isn't there.
[[nodiscard]] std::string resolved_path(const Target& target, const std::string& path);

struct UserFact {
  std::string name;
  bool exists = false;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home, shell, gecos;
  std::vector<std::string> groups;  ///< primary first
};
[[nodiscard]] UserFact user(const Target& target, const std::string& name);

struct GroupFact {
  std::string name;
  bool exists = false;
  gid_t gid = 0;
  std::vector<std::string> members;
};
[[nodiscard]] GroupFact group(const Target& target, const std::string& name);

struct PortFact {
  int number = 0;
  std::string protocol = "tcp";
  std::vector<std::string> listening_addresses;  ///< "0.0.0.0", "::", "127.0.0.1"
  [[nodiscard]] bool listening() const { return !listening_addresses.empty(); }
};
[[nodiscard]] PortFact port(const Target& target, int number, const std::string& protocol = "tcp");

}  // namespace mayfly
