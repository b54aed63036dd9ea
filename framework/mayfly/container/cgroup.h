#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/profile/profile.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A mounted control group hierarchy, as /proc/<pid>/mountinfo shows it.
struct CgroupMount {
  std::filesystem::path path;
  std::string root;                        ///< the part of the hierarchy that is mounted; "/" for all of it
  bool unified = false;                    ///< cgroup2
  std::vector<std::string> controllers{};  ///< version 1 only: "memory", "name=systemd", ...
  friend bool operator==(const CgroupMount&, const CgroupMount&) = default;
};

/// All cgroup mounts in the text's order, also those that another mount covers.
[[nodiscard]] std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);

/// The directory, relative to `mount`, beneath which liblxc makes cgroups as root: process 1's, without its
/// "init.scope".
/// @param process_1_cgroup the text of /proc/1/cgroup
[[nodiscard]] std::string unified_base(const CgroupMount& mount, std::string_view process_1_cgroup);

/// The host's control groups as far as Mayfly needs them: cgroup2 for killing, and whichever hierarchy has the
/// controllers for limits. Names are relative ("mayfly/<session>/<container>"). Works by descriptors, so that it goes
/// on working when the mounts are covered later.
class Cgroups {
 public:
  /// @throws PrivilegeError when no writable cgroup2 is mounted
  [[nodiscard]] static Cgroups of_host();

  /// cgroup2's directory beneath which names are, as it was when this was made.
  [[nodiscard]] const std::filesystem::path& unified_root() const noexcept { return unified_.path; }
  /// Whether all of the host's controllers are cgroup2's.
  [[nodiscard]] bool pure_unified() const noexcept { return legacy_.empty(); }
  /// A detached copy of cgroup2's mount, for move_mount(2).
  [[nodiscard]] UniqueFd clone_unified_mount() const;

  /// Makes the cgroup2 directory and its parents; one that exists is fine.
  /// @return a descriptor of it, for clone3(2) with CLONE_INTO_CGROUP and for bpf(2)
  [[nodiscard]] UniqueFd create(std::string_view name) const;

  /// Limits what is in `name`, which is made where it isn't there yet.
  /// @return `cgroup.procs` of each version 1 cgroup that a process has to join in addition to cgroup2's
  /// @throws Error when the host has no controller for a limit
  [[nodiscard]] std::vector<UniqueFd> limit(const std::string& name, const Limits& limits) const;

  /// Puts a process into the version 1 cgroups `name`, as far as they exist.
  void move_legacy(pid_t pid, std::string_view name) const;

  /// SIGKILL to everything in `name` and beneath, in one write. What is gone already is no error.
  void kill(std::string_view name) const;

  /// Kills what is in `name` and beneath, and removes it from every hierarchy once the processes are gone. A process
  /// that joins late, as a child of a dying one may, is killed, too.
  /// @return false when something is still in use at the deadline
  [[nodiscard]] bool remove(std::string_view name, Deadline deadline) const;

  /// Removes an empty directory from every hierarchy and leaves one that is in use.
  void remove_if_empty(std::string_view name) const;

  /// How many processes the kernel's OOM killer took in `name`, because of its memory limit.
  [[nodiscard]] std::uint64_t oom_kills(std::string_view name) const;

 private:
  struct Hierarchy {
    std::filesystem::path path;
    std::vector<std::string> controllers;
    UniqueFd directory;
    [[nodiscard]] bool has(std::string_view controller) const;
  };
  [[nodiscard]] bool knows(const CgroupMount& mount) const;
  [[nodiscard]] const Hierarchy& with_controller(std::string_view controller, std::string_view limit) const;
  void delegate(std::string_view name, std::string_view controller) const;
  [[nodiscard]] bool try_remove(std::string_view name) const;

  Hierarchy unified_;
  UniqueFd unified_mount_;
  std::vector<Hierarchy> legacy_;
};

}  // namespace mayfly
