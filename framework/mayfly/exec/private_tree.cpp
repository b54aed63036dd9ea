#include "mayfly/exec/private_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "mayfly/exec/command.h"
#include "mayfly/exec/spawn.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/exec/vm_child.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

MAYFLY_VM_CHILD int make_mount_point(void* /*none*/) noexcept {
  for (const char* directory : {"/dev/.mayfly", PrivateTree::kMountPoint}) {
    const long made = child_call(SYS_mkdirat, AT_FDCWD, as_word(directory), 0755);
    if (made < 0 && made != -EEXIST) {
      return static_cast<int>(-made);
    }
  }
  return 0;
}

struct Lock {
  int tree = -1;
  int owners = -1;              ///< the container's user namespace
  const char* where = nullptr;  ///< a mount point
  int locked = -1;
};

/// What goes into a mount namespace of another owner by a copy of the whole can't be changed there
/// (mount_namespaces(7), "restrictions"); by move_mount(2) it could. So it goes through such a copy.
MAYFLY_VM_CHILD int lock_tree(void* argument) noexcept {
  Lock& lock = *static_cast<Lock*>(argument);
  mount_attr apart{};
  apart.propagation = MS_PRIVATE;
  long result = child_call(SYS_unshare, CLONE_NEWNS);
  if (result >= 0) {
    result = child_call(SYS_mount_setattr, AT_FDCWD, as_word("/"), AT_RECURSIVE, as_word(&apart), sizeof apart);
  }
  if (result >= 0) {
    result = child_call(SYS_move_mount, lock.tree, as_word(""), AT_FDCWD, as_word(lock.where), MOVE_MOUNT_F_EMPTY_PATH);
  }
  if (result >= 0) result = child_call(SYS_setns, lock.owners, CLONE_NEWUSER);
  if (result >= 0) result = child_call(SYS_unshare, CLONE_NEWNS);
  if (result >= 0) {
    result = child_call(SYS_open_tree, AT_FDCWD, as_word(lock.where), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  }
  if (result >= 0) lock.locked = static_cast<int>(result);
  return result < 0 ? static_cast<int>(-result) : 0;
}

UniqueFd locked(const UniqueFd& tree, const UniqueFd& owners, const std::filesystem::path& source) {
  // Mount points that each host has, of the kind that the tree is.
  Lock lock{.tree = tree.get(),
            .owners = owners.get(),
            .where = std::filesystem::is_directory(source) ? "/proc" : "/proc/version"};
  const int code = call_in_child(lock_tree, &lock);
  UniqueFd result(lock.locked);
  if (code != 0) throw SystemError(fmt::format("lock tree '{}' against changes", source.string()), code);
  return result;
}

}  // namespace

UniqueFd open_private_tree(const Target& target, const std::filesystem::path& directory) {
  if (const int code = call_in_container(target, make_mount_point, nullptr); code != 0) {
    throw SystemError(fmt::format("make '{}' in the container", PrivateTree::kMountPoint), code);
  }
  return open_tree_copy(target, directory, TreeAccess::read_only);
}

UniqueFd open_memory_tree(const char* mode, const char* size) {
  const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  const auto set = [&](const char* key, const char* value) {
    return ::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value, 0) == 0;
  };
  if (!context || !set("mode", mode) || !set("size", size) ||
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    throw SystemError("make a file system in memory");
  }
  UniqueFd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID));
  if (!tree) {
    throw SystemError("mount a file system in memory");
  }
  return tree;
}

UniqueFd open_tree_copy(const Target& target, const std::filesystem::path& source, TreeAccess access) {
  UniqueFd tree(::open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) {
    throw SystemError(fmt::format("open tree '{}'", source.string()));
  }
  mount_attr change{};
  change.attr_set =
      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | (access == TreeAccess::writable ? 0U : unsigned{MOUNT_ATTR_RDONLY});
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &change, sizeof change) != 0) {
    throw SystemError(fmt::format("limit what tree '{}' allows", source.string()));
  }
  if ((target.state().namespaces & CLONE_NEWUSER) == 0 || access == TreeAccess::foreign) return tree;
  const UniqueFd owners = open_file(fmt::format("/proc/{}/ns/user", target.init_pid()), O_RDONLY);
  change = {};
  change.attr_set = MOUNT_ATTR_IDMAP;
  change.userns_fd = static_cast<std::uint64_t>(owners.get());
  // What a tool needs is readable for everybody, so a file system without id maps will do.
  static_cast<void>(::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &change, sizeof change));
  return access == TreeAccess::read_only ? locked(tree, owners, source) : std::move(tree);
}

}  // namespace mayfly
