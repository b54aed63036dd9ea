#include "mayfly/exec/host_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <vector>

#include "mayfly/exec/private_tree.h"
#include "mayfly/exec/spawn.h"
#include "mayfly/exec/vm_child.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

struct Work {
  const char* const* parents = nullptr;  ///< directories to be made, the outermost first; ends with a null pointer
  const char* path = nullptr;
  bool directory = true;
  int tree = -1;
};

/// In the container. @return an errno
MAYFLY_VM_CHILD int show(void* argument) noexcept {
  const Work& work = *static_cast<const Work*>(argument);
  for (const char* const* parent = work.parents; *parent != nullptr; ++parent) {
    const long made = child_call(SYS_mkdirat, AT_FDCWD, as_word(*parent), 0755);
    if (made < 0 && made != -EEXIST && made != -EROFS) return static_cast<int>(-made);
  }
  const long made = work.directory ? child_call(SYS_mkdirat, AT_FDCWD, as_word(work.path), 0755)
                                   : child_call(SYS_mknodat, AT_FDCWD, as_word(work.path), S_IFREG | 0644, 0);
  if (made < 0 && made != -EEXIST && made != -EROFS) return static_cast<int>(-made);
  const long moved = child_call(SYS_move_mount, work.tree, as_word(""), AT_FDCWD, as_word(work.path),
                                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS);
  return moved < 0 ? static_cast<int>(-moved) : 0;
}

}  // namespace

void mount_from_host(const Target& target, const HostMount& mount) {
  std::error_code missing;
  const std::filesystem::path source = std::filesystem::canonical(mount.source, missing);
  if (missing) throw Error(fmt::format("'{}' doesn't exist on the host", mount.source.string()));
  const UniqueFd tree = open_tree_copy(target, source, mount.writable ? TreeAccess::writable : TreeAccess::read_only);
  const std::string path = std::filesystem::path(mount.path).lexically_normal().string();
  std::vector<std::string> parents;
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    parents.push_back(path.substr(0, slash));
  }
  std::vector<const char*> words;
  words.reserve(parents.size() + 1);
  for (const std::string& parent : parents) words.push_back(parent.c_str());
  words.push_back(nullptr);
  Work work{.parents = words.data(),
            .path = path.c_str(),
            .directory = std::filesystem::is_directory(source),
            .tree = tree.get()};
  if (const int code = call_in_container(target, show, &work); code != 0) {
    throw SystemError(fmt::format("mount the host's '{}' at '{}' in the container", source.string(), path), code);
  }
}

}  // namespace mayfly
