#include "mayfly/layer/layer_trees.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

int set_attributes(const UniqueFd& tree, std::uint64_t attributes, int id_map_namespace) noexcept {
  struct mount_attr change {};
  change.attr_set = attributes;
  if ((attributes & MOUNT_ATTR_IDMAP) != 0) {
    change.userns_fd = static_cast<std::uint64_t>(id_map_namespace);
  }
  return ::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &change, sizeof change) == 0 ? 0 : errno;
}

/// "ext4", "overlay", ...: the field after " - " of the tree's line in mountinfo. A detached tree has no line, so ask
/// for the path that it is a copy of.
std::string file_system_of(const std::filesystem::path& path) {
  struct statx state {};
  if (::statx(AT_FDCWD, path.c_str(), AT_NO_AUTOMOUNT, STATX_MNT_ID, &state) != 0) {
    return "unknown";
  }
  const std::string lines = '\n' + read_file("/proc/self/mountinfo");
  const std::size_t line = lines.find(fmt::format("\n{} ", state.stx_mnt_id));
  const std::size_t separator = line == std::string::npos ? line : lines.find(" - ", line);
  if (separator == std::string::npos) {
    return "unknown";
  }
  const std::size_t name = separator + 3;
  return lines.substr(name, lines.find(' ', name) - name);
}

SystemError id_map_error(const std::filesystem::path& path, int code) {
  if (code != EINVAL) {
    return SystemError(fmt::format("id-map layer '{}'", path.string()), code);
  }
  SystemError error(fmt::format("the file system of '{}' ({}) can't be id-mapped", path.string(), file_system_of(path)),
                    code);
  error.set_hint(path == "/"
                     ? "use an image that Mayfly builds, with MAYFLY_STORE_DIR on ext4, xfs, btrfs or tmpfs, or "
                       "privileged = true"
                     : "set MAYFLY_STORE_DIR to a directory on ext4, xfs, btrfs or tmpfs, or use privileged = true");
  return error;
}

void change_owner(const std::filesystem::path& path, std::uint32_t id) {
  if (::lchown(path.c_str(), id, id) != 0) {
    throw SystemError(fmt::format("give '{}' to user {}", path.string(), id));
  }
}

}  // namespace

UniqueFd clone_tree(const std::filesystem::path& path) {
  UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) {
    throw SystemError(fmt::format("open layer '{}'", path.string()));
  }
  return tree;
}

UniqueFd make_empty_tree() {
  const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context || ::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", "755", 0) != 0 ||
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    throw SystemError("make an empty layer");
  }
  UniqueFd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY));
  if (!tree) {
    throw SystemError("mount an empty layer");
  }
  return tree;
}

LayerTrees open_layer_trees(const OverlayPlan& plan, const UniqueFd& id_map_namespace) {
  LayerTrees trees;
  trees.lowers.reserve(plan.host_id_lowers.size() + plan.lowers.size());
  for (const std::filesystem::path& lower : plan.host_id_lowers) {
    trees.lowers.push_back(clone_tree(lower));
    if (const int code = set_attributes(trees.lowers.back(), MOUNT_ATTR_RDONLY, -1); code != 0) {
      throw SystemError(fmt::format("make layer '{}' read-only", lower.string()), code);
    }
  }
  for (const std::filesystem::path& lower : plan.lowers) {
    UniqueFd tree = clone_tree(lower);
    const std::uint64_t attributes = MOUNT_ATTR_RDONLY | (plan.id_map ? MOUNT_ATTR_IDMAP : 0);
    if (const int code = set_attributes(tree, attributes, id_map_namespace.get()); code != 0) {
      throw id_map_error(lower, code);
    }
    trees.lowers.push_back(std::move(tree));
  }

  if (plan.upper.empty()) {
    return trees;
  }
  trees.writable = clone_tree(plan.upper.parent_path());
  if (plan.id_map) {
    trees.upper_shifted =
        plan.shift_upper || set_attributes(trees.writable, MOUNT_ATTR_IDMAP, id_map_namespace.get()) != 0;
  }
  if (trees.upper_shifted) {
    change_owner(plan.upper, plan.id_map->host_base);
    change_owner(plan.work, plan.id_map->host_base);
  }
  return trees;
}

ScratchMounts::ScratchMounts(const std::filesystem::path& parent, const LayerTrees& trees) {
  std::string name = parent / ".layers-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw SystemError(fmt::format("make a directory in '{}'", parent.string()));
  }
  path_ = name;
  try {
    for (std::size_t i = 0; i < trees.lowers.size(); ++i) {
      attach(trees.lowers[i], std::to_string(i));
    }
    if (trees.writable) {
      attach(trees.writable, kWritable);
    }
    directories_.push_back(path_ / kMerged);
    if (::mkdir(directories_.back().c_str(), 0700) != 0) {
      throw SystemError(fmt::format("make directory '{}'", directories_.back().string()));
    }
  } catch (...) {
    clear();
    throw;
  }
}

ScratchMounts::~ScratchMounts() { clear(); }

void ScratchMounts::attach(const UniqueFd& tree, const std::filesystem::path& name) {
  const std::filesystem::path directory = path_ / name;
  if (::mkdir(directory.c_str(), 0700) != 0) {
    throw SystemError(fmt::format("make directory '{}'", directory.string()));
  }
  directories_.push_back(directory);
  if (::move_mount(tree.get(), "", AT_FDCWD, directory.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    throw SystemError(fmt::format("attach layer to '{}'", directory.string()));
  }
  mounts_.emplace_back(directory);
}

void ScratchMounts::clear() noexcept {
  mounts_.clear();
  directories_.push_back(path_);
  for (const std::filesystem::path& directory : directories_) {
    if (::rmdir(directory.c_str()) != 0) {
      const int code = errno;
      log(LogLevel::warning, fmt::format("best-effort clean-up: remove '{}': errno {}", directory.string(), code));
    }
  }
  directories_.clear();
}

WorkingDirectory::WorkingDirectory(const std::filesystem::path& path) : back_(open_file(".", O_PATH | O_DIRECTORY)) {
  if (::chdir(path.c_str()) != 0) {
    throw SystemError(fmt::format("change to directory '{}'", path.string()));
  }
}

WorkingDirectory::~WorkingDirectory() {
  if (::fchdir(back_.get()) != 0) {
    const int code = errno;
    log(LogLevel::error, fmt::format("return to the working directory: errno {}", code));
  }
}

}  // namespace mayfly
