#include "mayfly/layer/overlay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "mayfly/layer/layer_trees.h"
#include "mayfly/layer/mounter_credentials.h"
#include "mayfly/layer/overlay_options.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// Longest value of a string option in fsconfig(2), fs/fsopen.c.
constexpr std::size_t kLongestOption = 255;

/// What the kernel logs while this lives. Overlayfs says why a mount fails only there.
class KernelLog {
 public:
  KernelLog() : fd_(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
    if (fd_) {
      ::lseek(fd_.get(), 0, SEEK_END);
    }
  }
  [[nodiscard]] std::string causes() const {
    std::string records;
    char record[8192];  // one record a read
    ssize_t size = 0;
    while (fd_ && ((size = ::read(fd_.get(), record, sizeof record)) > 0 || (size < 0 && errno == EPIPE))) {
      if (size > 0) {
        records.append(record, static_cast<std::size_t>(size));
      }
    }
    return causes_in_kernel_log(records);
  }

 private:
  UniqueFd fd_;
};

/// An overlay that is being configured: fsopen(2).
class OverlayContext {
 public:
  OverlayContext() : fd_(::fsopen("overlay", FSOPEN_CLOEXEC)) {
    if (!fd_) {
      throw SystemError("open the overlay file system");
    }
  }

  bool set_fd(const char* key, int fd) noexcept { return configure(FSCONFIG_SET_FD, key, nullptr, fd); }
  bool set(const OverlayOption& option) noexcept {
    return option.value ? configure(FSCONFIG_SET_STRING, option.key, option.value->c_str(), 0)
                        : configure(FSCONFIG_SET_FLAG, option.key, nullptr, 0);
  }
  bool set_all(const std::vector<OverlayOption>& options) noexcept {
    for (const OverlayOption& option : options) {
      if (!set(option)) {
        return false;
      }
    }
    return true;
  }

  /// @param mounter the file system ids of the overlay's creator, where not the caller's
  bool create(const std::optional<std::uint32_t>& mounter) {
    std::optional<MounterCredentials> credentials;
    if (mounter) {
      credentials.emplace(*mounter);
    }
    return configure(FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  }

  UniqueFd mount() noexcept {
    UniqueFd mount(::fsmount(fd_.get(), FSMOUNT_CLOEXEC, 0));
    code_ = mount ? 0 : errno;
    return mount;
  }

  /// The errno of the last call that failed.
  [[nodiscard]] int code() const noexcept { return code_; }
  [[nodiscard]] std::string causes() const {
    std::string log;
    char line[1024];
    ssize_t size = 0;
    while ((size = ::read(fd_.get(), line, sizeof line - 1)) > 0) {
      log.append(line, static_cast<std::size_t>(size)).append("\n");
    }
    return causes_in_fs_log(log);
  }

 private:
  bool configure(unsigned command, const char* key, const void* value, int aux) noexcept {
    if (::fsconfig(fd_.get(), command, key, value, aux) == 0) {
      return true;
    }
    code_ = errno;
    return false;
  }

  UniqueFd fd_;
  int code_ = 0;
};

SystemError mount_error(const OverlayPlan& plan, int code, const std::string& fs_log, const std::string& kernel_log) {
  const std::string& causes = fs_log.empty() ? kernel_log : fs_log;
  return SystemError(
      fmt::format("mount overlay on '{}'{}", plan.target.string(), causes.empty() ? "" : fmt::format(" ({})", causes)),
      code);
}

/// What a failed try has left in the work directory, so that the next doesn't trip over it.
void clear_work(const OverlayPlan& plan) {
  remove_tree(plan.work / "work");
  remove_tree(plan.work / "incompat");
}

std::vector<OverlayOption> options_for(const OverlayPlan& plan, const LayerTrees& trees) {
  return trees.writable ? overlay_options(plan) : read_only_overlay_options();
}

/// The layers as descriptors, never attached anywhere: from Linux 6.15 on (6.13 with layers that are not id-mapped).
/// @return nothing where the kernel can't; the portable form then finds out whether it's that or the layers
std::optional<UniqueFd> mount_by_descriptors(const OverlayPlan& plan, const LayerTrees& trees,
                                             const std::optional<std::uint32_t>& mounter) {
  OverlayContext context;
  for (const UniqueFd& lower : trees.lowers) {
    if (!context.set_fd("lowerdir+", lower.get())) {
      return std::nullopt;
    }
  }
  if (trees.writable) {
    const auto part = [&](const std::filesystem::path& path) {
      return UniqueFd(::openat(trees.writable.get(), path.filename().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    };
    const UniqueFd upper = part(plan.upper);
    const UniqueFd work = part(plan.work);
    if (!upper || !work || !context.set_fd("upperdir", upper.get()) || !context.set_fd("workdir", work.get())) {
      return std::nullopt;
    }
  }
  if (!context.set_all(options_for(plan, trees)) || !context.create(mounter)) {
    return std::nullopt;
  }
  UniqueFd mount = context.mount();
  return mount ? std::optional(std::move(mount)) : std::nullopt;
}

/// The layers attached to scratch directories under short relative names, for any kernel with id-mapped mounts.
UniqueFd mount_by_scratch(const OverlayPlan& plan, const LayerTrees& trees,
                          const std::optional<std::uint32_t>& mounter) {
  const ScratchMounts scratch((plan.work.empty() ? plan.target : plan.work).parent_path(), trees);
  const WorkingDirectory there(scratch.path());
  std::vector<OverlayOption> options = options_for(plan, trees);
  options.push_back({"lowerdir", numbered_lowers(trees.lowers.size())});
  if (trees.writable) {
    options.push_back({"upperdir", ScratchMounts::kWritable / plan.upper.filename()});
    options.push_back({"workdir", ScratchMounts::kWritable / plan.work.filename()});
  }

  const KernelLog kernel_log;
  if (numbered_lowers(trees.lowers.size()).size() > kLongestOption) {
    // fsconfig(2) has no room for more than about 80 layers, mount(2) has a page.
    const std::string data = overlay_mount_data(options);
    std::optional<MounterCredentials> credentials;
    if (mounter) {
      credentials.emplace(*mounter);
    }
    if (::mount("overlay", ScratchMounts::kMerged, "overlay", 0, data.c_str()) != 0) {
      throw mount_error(plan, errno, {}, kernel_log.causes());
    }
    const Mount merged(scratch.path() / ScratchMounts::kMerged);
    return clone_tree(merged.target());
  }
  OverlayContext context;
  if (context.set_all(options) && context.create(mounter)) {
    if (UniqueFd mount = context.mount()) {
      return mount;
    }
  }
  throw mount_error(plan, context.code(), context.causes(), kernel_log.causes());
}

UniqueFd mount_layers(const OverlayPlan& plan, const LayerTrees& trees, const std::optional<std::uint32_t>& mounter) {
  if (!plan.scratch_mounts) {
    // One that has been used before is refused by the kernel, with good reason.
    const bool fresh = !plan.work.empty() && std::filesystem::is_empty(plan.work);
    if (std::optional<UniqueFd> mount = mount_by_descriptors(plan, trees, mounter)) {
      return *std::move(mount);
    }
    if (fresh) {
      clear_work(plan);
    }
  }
  return mount_by_scratch(plan, trees, mounter);
}

/// The layer as a read-only overlay of its own, above nothing but an empty directory. To the kernel that is another
/// file system, so other layers may lie beneath its directory.
UniqueFd wrap(UniqueFd lower, const OverlayPlan& plan) {
  LayerTrees trees;
  trees.lowers.push_back(make_empty_tree());  // an overlay without an upper wants two lowers
  trees.lowers.push_back(std::move(lower));
  return mount_layers(plan, trees, std::nullopt);
}

/// Gives each lower that has another one beneath it a file system of its own.
void separate_overlapping_lowers(const OverlayPlan& plan, LayerTrees& trees) {
  std::vector<std::filesystem::path> paths;
  for (const auto* lowers : {&plan.host_id_lowers, &plan.lowers}) {
    for (const std::filesystem::path& lower : *lowers) {
      paths.push_back(std::filesystem::canonical(lower));
    }
  }
  const std::vector<bool> covers = covers_another(paths);
  for (std::size_t i = 0; i < covers.size(); ++i) {
    if (covers[i]) {
      trees.lowers[i] = wrap(std::move(trees.lowers[i]), plan);
    }
  }
}

/// Where the work directory can't be used the kernel mounts read-only and says so in its log alone.
void check_writable(const OverlayPlan& plan, const UniqueFd& mount, const KernelLog& kernel_log) {
  struct statfs state {};
  if (::fstatfs(mount.get(), &state) != 0) {
    throw SystemError(fmt::format("look at the overlay for '{}'", plan.target.string()));
  }
  if ((static_cast<unsigned long>(state.f_flags) & ST_RDONLY) != 0) {
    const std::string causes = kernel_log.causes();
    throw Error(fmt::format("overlay on '{}': the kernel mounts it read-only, since it can't use '{}'{}",
                            plan.target.string(), plan.work.string(),
                            causes.empty() ? "" : fmt::format(" ({})", causes)));
  }
}

}  // namespace

OverlayMount mount_overlay(const OverlayPlan& plan, const UniqueFd& id_map_namespace) {
  check_overlay_plan(plan);
  LayerTrees trees = open_layer_trees(plan, id_map_namespace);
  separate_overlapping_lowers(plan, trees);
  std::optional<std::uint32_t> mounter;
  if (plan.id_map && trees.writable && !trees.upper_shifted) {
    mounter = plan.id_map->host_base;
  }

  const KernelLog kernel_log;
  const UniqueFd mount = mount_layers(plan, trees, mounter);
  if (trees.writable) {
    check_writable(plan, mount, kernel_log);
  }
  if (::move_mount(mount.get(), "", AT_FDCWD, plan.target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    throw SystemError(fmt::format("attach overlay to '{}'", plan.target.string()));
  }
  return {.upper_holds_host_ids = trees.upper_shifted};
}

}  // namespace mayfly
