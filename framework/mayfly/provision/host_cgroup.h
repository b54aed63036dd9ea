#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "mayfly/exec/target.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// The cgroup of a Mayfly container, with its session's: "/mayfly/1234-1/web" of "/mayfly/1234-1/web/ct/init.scope".
/// @return nothing for any other cgroup
[[nodiscard]] std::optional<std::string> container_cgroup(std::string_view cgroup);

/// Where a step's temporary files on the host belong: the session's runtime directory, which is removed with the
/// session even when the test process is killed. Empty (the system's own place) for what is no container of Mayfly's.
[[nodiscard]] std::filesystem::path host_temp_directory(const Target& target);

/// A cgroup for programs that a step runs on the host for a container, beside the container's own: killed as a whole
/// when it goes, and with the session when the test process is killed. Ansible's workers leave their process group
/// (2.19), so a signal to that wouldn't reach them.
class HostCgroup {
 public:
  /// An empty one (procs_fd() is -1) for what is no container of Mayfly's, and where cgroup v2 isn't mounted.
  explicit HostCgroup(const Target& target);
  HostCgroup(const HostCgroup&) = delete;
  HostCgroup& operator=(const HostCgroup&) = delete;
  ~HostCgroup();

  /// Its `cgroup.procs`.
  [[nodiscard]] int procs_fd() const noexcept { return procs_.get(); }

 private:
  std::string path_;
  UniqueFd procs_;
};

}  // namespace mayfly
