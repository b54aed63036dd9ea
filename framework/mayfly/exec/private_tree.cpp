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

}  // namespace

UniqueFd open_private_tree(const Target& target, const std::filesystem::path& directory) {
  if (const int code = call_in_container(target, make_mount_point, nullptr); code != 0) {
    throw SystemError(fmt::format("make '{}' in the container", PrivateTree::kMountPoint), code);
  }
  return open_tree_copy(target, directory);
}

UniqueFd open_tree_copy(const Target& target, const std::filesystem::path& directory) {
  UniqueFd tree(::open_tree(AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) {
    throw SystemError(fmt::format("open tree '{}'", directory.string()));
  }
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &change, sizeof change) != 0) {
    throw SystemError(fmt::format("make tree '{}' read-only", directory.string()));
  }
  if ((target.state().namespaces & CLONE_NEWUSER) != 0) {
    const UniqueFd owners = open_file(fmt::format("/proc/{}/ns/user", target.init_pid()), O_RDONLY);
    change = {};
    change.attr_set = MOUNT_ATTR_IDMAP;
    change.userns_fd = static_cast<std::uint64_t>(owners.get());
    // What a tool needs is readable for everybody, so a file system without id maps will do.
    static_cast<void>(::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &change, sizeof change));
  }
  return tree;
}

}  // namespace mayfly
