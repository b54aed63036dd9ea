#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mayfly/container/seccomp.h"
#include "mayfly/exec/spawn.h"
#include "mayfly/exec/target.h"
#include "mayfly/exec/vm_child.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

// The way into a container, step by step, by the rules of vm_child.h: for the children that spawn.cpp and body.cpp
// make.

/// Where it can fail.
enum class EntryStep { none, cgroup, enter, tree, clone, terminal, descriptors, privileges, user, directory, execute };

[[nodiscard]] std::string describe(EntryStep step, const SpawnPlan& plan);

struct SoftLimit {
  int resource;
  rlimit limit;
};

/// The kernel's own soft limits, within the caller's hard ones, where the caller's are others: a test process may have
/// raised or cut its own.
[[nodiscard]] std::vector<SoftLimit> limits_to_set();

/// While it lives, children of the calling thread are born in the container's pid namespace. No other way in makes the
/// caller their parent without a process between them.
class ChildrenInPidNamespace {
 public:
  /// @throws SystemError
  explicit ChildrenInPidNamespace(int init_pidfd);
  ChildrenInPidNamespace(const ChildrenInPidNamespace&) = delete;
  ChildrenInPidNamespace& operator=(const ChildrenInPidNamespace&) = delete;
  ~ChildrenInPidNamespace();

 private:
  UniqueFd own_;
};

/// Everything that a child reads, and what it writes down. What it points to is alive while the child may use it.
struct Entry {
  // The way in.
  int pidfd = -1;
  int namespaces = 0;
  std::uint64_t capabilities = 0;
  int last_capability = 0;  ///< that the kernel knows
  bool no_new_privileges = false;
  const int* cgroups = nullptr;  ///< cgroup.procs
  std::size_t cgroup_count = 0;
  // What the process is like.
  const char* cwd = nullptr;
  const char* fallback_cwd = nullptr;
  int stdio[3] = {-1, -1, -1};
  const int* kept = nullptr;  ///< descriptors that stay open when a program is executed
  std::size_t kept_count = 0;
  int private_tree = -1;
  bool controlling_terminal = false;
  uid_t uid = 0;
  gid_t gid = 0;
  const gid_t* groups = nullptr;
  std::size_t group_count = 0;
  const SoftLimit* limits = nullptr;
  std::size_t limit_count = 0;
  std::span<const sock_filter> filter;
  // What comes back.
  EntryStep failed = EntryStep::none;
  int code = 0;  ///< an errno
};

/// An entry into the target with what its state says; for the rest see fill().
[[nodiscard]] Entry entry_into(const Target& target, const std::vector<int>& cgroups);
/// What the process is like, as `plan` says; points into the plan and `limits`.
void fill(Entry& entry, const SpawnPlan& plan, const std::vector<SoftLimit>& limits);
/// cgroup.procs of the container's own groups in hierarchies of version 1.
[[nodiscard]] std::vector<int> v1_cgroups(const Target& target);

/// Notes the failure and ends the child.
[[noreturn]] MAYFLY_VM_CHILD void entry_failed(Entry& entry, EntryStep step, long negative_errno) noexcept;
MAYFLY_VM_CHILD void entry_check(Entry& entry, EntryStep step, long result) noexcept;

/// No handler of the caller may run in a child, and its ignored signals aren't the program's.
MAYFLY_VM_CHILD void reset_signal_handlers() noexcept;
/// Joins the control groups and the namespaces but for `except` (CLONE_NEW*).
MAYFLY_VM_CHILD void entry_enter(Entry& entry, int except) noexcept;
/// Entering a user namespace gives every capability in it and a full bounding set: cuts it.
MAYFLY_VM_CHILD void entry_bound_capabilities(Entry& entry) noexcept;
MAYFLY_VM_CHILD void entry_become_user(Entry& entry) noexcept;
/// In the container's namespaces: session, terminal, stdio (all other descriptors are closed on exec), limits,
/// capabilities, system call filter, user, umask, directory.
MAYFLY_VM_CHILD void entry_take_on(Entry& entry) noexcept;

}  // namespace mayfly
