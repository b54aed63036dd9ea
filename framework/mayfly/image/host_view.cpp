#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "mayfly/image/host_mask.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

using Kind = MaskEntry::Kind;

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct EmptyDirectory {
  const char* name;
  mode_t mode;
};
/// Each container has its own of these, whatever the host's look like.
constexpr std::array<EmptyDirectory, 12> kEmpty{{{"boot", 0755},
                                                 {"dev", 0755},
                                                 {"home", 0755},
                                                 {"media", 0755},
                                                 {"mnt", 0755},
                                                 {"proc", 0555},
                                                 {"root", 0700},
                                                 {"run", 0755},
                                                 {"srv", 0755},
                                                 {"sys", 0555},
                                                 {"tmp", 01777},
                                                 {"var/tmp", 01777}}};

constexpr auto kShown = std::to_array<std::string_view>({"bin", "etc", "opt", "sbin", "usr", "var"});
constexpr auto kShownInVar =
    std::to_array<std::string_view>({"cache", "games", "lib", "local", "lock", "opt", "run", "tmp", "www"});
/// Programs want their directories below these, and nobody wants the host's files.
constexpr auto kOnlyDirectoriesInVar = std::to_array<std::string_view>({"log", "spool"});

/// Secrets and the host's identity, whether or not others may read them.
constexpr auto kHiddenInEtc = std::to_array<std::string_view>(
    {"etc/NetworkManager/system-connections", "etc/apt/auth.conf", "etc/apt/auth.conf.d", "etc/docker",
     "etc/krb5.keytab", "etc/kubernetes", "etc/letsencrypt", "etc/netplan", "etc/openvpn", "etc/ssl/private",
     "etc/sudoers.d", "etc/wireguard"});

/// Data of servers and of other containers.
constexpr auto kHiddenInVarLib = std::to_array<std::string_view>(
    {"AccountsService", "NetworkManager", "containerd", "containers", "docker", "etcd",     "gitlab-runner", "jenkins",
     "kubelet",         "libvirt",        "lxc",        "lxcfs",      "lxd",    "machines", "mongodb",       "mysql",
     "portables",       "postgresql",     "rabbitmq",   "rancher",    "redis",  "sss"});
/// The package databases have locks and temporary files of their own, thousands of entries and no secrets.
constexpr auto kShownWholeInVarLib = std::to_array<std::string_view>({"apt", "dpkg", "rpm"});

/// Comes from the container's own settings, or changes by itself.
constexpr auto kNoInput = std::to_array<std::string_view>(
    {"etc/adjtime", "etc/fstab", "etc/hostname", "etc/hosts", "etc/mtab", "etc/machine-id", "etc/resolv.conf"});

/// Their times tell that packages came or went.
constexpr auto kWatched = std::to_array<std::string_view>(
    {"usr", "usr/bin", "usr/lib", "usr/sbin", "usr/local/bin", "usr/local/lib", "usr/local/sbin", "opt",
     "var/lib/dpkg/status", "var/lib/rpm/rpmdb.sqlite", "lib/apk/db/installed"});

class Planner {
 public:
  explicit Planner(const fs::path& root) : root_(root), root_fd_(open_file(root, O_PATH | O_DIRECTORY)) {
    if (const auto info = status("")) {
      device_ = info->st_dev;
    }
  }

  void plan_top() {
    for (const EmptyDirectory& empty : kEmpty) {
      add_parents(empty.name);
      entries_[empty.name] = {.path = empty.name, .kind = Kind::opaque_directory, .mode = empty.mode};
    }
    for (const std::string& name : names_in("")) {
      if (!contains(kShown, name) && !name.starts_with("lib") && !entries_.contains(name)) {
        add_whiteout(name);
      }
    }
  }

  void plan_etc() {
    for (const std::string_view path : kHiddenInEtc) {
      hide(std::string(path));
    }
    for (const std::string& name : names_in("etc/ssh")) {
      if (name.starts_with("ssh_host_")) {
        hide("etc/ssh/" + name);
      }
    }
    for (const char* name : {"passwd-", "group-", "shadow-", "gshadow-", "subuid-", "subgid-"}) {
      hide(fmt::format("etc/{}", name));
    }
    stub("etc/shadow", [](const std::string& line) {
      // Whoever has no password can't log in with one.
      return line.substr(0, line.find(':')) + ":*:19000:0:99999:7:::\n";
    });
    stub("etc/gshadow", [](const std::string& line) { return line.substr(0, line.find(':')) + ":*::\n"; });
    replace("etc/fstab", "# A container's mounts aren't the host's.\n");
    replace("etc/hostname", "localhost\n");
    hide_unreadable("etc", 32, true);
  }

  void plan_var() {
    for (const std::string& name : names_in("var")) {
      const std::string path = "var/" + name;
      if (contains(kOnlyDirectoriesInVar, name)) {
        keep_directories(path, 3);
      } else if (!contains(kShownInVar, name)) {
        hide(path);
      }
    }
    for (const std::string_view name : kHiddenInVarLib) {
      hide(fmt::format("var/lib/{}", name));
    }
    hide("var/lib/systemd/coredump");
    // The default store, also while this session has another: what comes and goes there is no matter of the image.
    hide("var/cache/mayfly");
    hide_unreadable("var/lib", 2, false);
    hide_unreadable("var/cache", 2, false);
  }

  void hide(const std::string& path) {
    const auto info = status(path);
    if (!info || is_hidden(path)) {
      return;
    }
    if (S_ISDIR(info->st_mode)) {
      add(path, Kind::opaque_directory, *info);
    } else {
      add_whiteout(path);
    }
  }

  [[nodiscard]] HostView result() {
    for (const std::string_view path : kWatched) {
      note(std::string(path), status(std::string(path)));
    }
    // Directories are read in no order.
    std::sort(inputs_.begin(), inputs_.end());
    Sha256 hash;
    for (const std::string& input : inputs_) {
      hash.field(input);
    }
    HostView view{.mask = {}, .fingerprint = hash.hex()};
    // A map's order puts parents before children, since a parent's path is a prefix.
    for (auto& [path, entry] : entries_) {
      view.mask.push_back(std::move(entry));
    }
    return view;
  }

 private:
  // Thousands of calls for each look at a host: relative to a descriptor, and without std::filesystem, they take a
  // third.

  /// Nothing when it isn't there (any more).
  [[nodiscard]] std::optional<struct stat> status(const std::string& path) const {
    struct stat info {};
    if (::fstatat(root_fd_.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0) {
      return info;
    }
    if (errno != ENOENT && errno != ENOTDIR) {
      throw SystemError(fmt::format("stat '{}'", (root_ / path).string()));
    }
    return std::nullopt;
  }

  [[nodiscard]] std::vector<std::string> names_in(const std::string& path) const {
    std::vector<std::string> names;
    const int fd =
        ::openat(root_fd_.get(), path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(fd < 0 ? nullptr : ::fdopendir(fd), &::closedir);
    if (!directory) {
      if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
        throw SystemError(fmt::format("list '{}'", (root_ / path).string()));
      }
      return names;
    }
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") {
        names.emplace_back(name);
      }
    }
    return names;
  }

  void add(const std::string& path, Kind kind, const struct stat& info, std::string content = {}) {
    add_parents(path);
    entries_[path] = {.path = path,
                      .kind = kind,
                      .mode = info.st_mode & 07777,
                      .uid = info.st_uid,
                      .gid = info.st_gid,
                      .content = std::move(content)};
  }

  void add_whiteout(const std::string& path) {
    add_parents(path);
    entries_[path] = {.path = path, .kind = Kind::whiteout};
  }

  /// A merged directory takes its mode and owner from the topmost layer, so the mask's have to be the host's.
  void add_parents(const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      if (entries_.contains(parent)) {
        continue;
      }
      const auto info = status(parent);
      entries_[parent] = {.path = parent,
                          .kind = Kind::directory,
                          .mode = info ? info->st_mode & 07777 : 0755,
                          .uid = info ? info->st_uid : 0,
                          .gid = info ? info->st_gid : 0};
    }
  }

  /// Whether the mask has decided about it, or has something above it that hides it.
  [[nodiscard]] bool is_hidden(const std::string& path) const {
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
      const auto found = entries_.find(path.substr(0, end));
      if (found != entries_.end() && found->second.kind != Kind::directory) {
        return true;
      }
      if (end == std::string::npos) {
        return false;
      }
    }
  }

  void replace(const std::string& path, std::string content) {
    if (const auto info = status(path); info && S_ISREG(info->st_mode)) {
      add(path, Kind::file, *info, std::move(content));
    }
  }

  template <typename StubLine>
  void stub(const std::string& path, StubLine stub_line) {
    const auto original = read_file_if_exists(root_ / path);
    if (!original) {
      return;
    }
    std::string content;
    for (std::size_t begin = 0; begin < original->size();) {
      const std::size_t end = std::min(original->find('\n', begin), original->size());
      if (end > begin) {
        content += stub_line(original->substr(begin, end - begin));
      }
      begin = end + 1;
    }
    replace(path, std::move(content));
  }

  /// What only its owner and group can read is taken for a secret.
  void hide_unreadable(const std::string& directory, int depth, bool is_input) {
    for (const std::string& name : names_in(directory)) {
      const std::string path = fmt::format("{}/{}", directory, name);
      const auto info = status(path);
      const auto decided = entries_.find(path);
      if (!info || (decided != entries_.end() && decided->second.kind != Kind::directory) ||
          (directory == "var/lib" && contains(kShownWholeInVarLib, name))) {
        continue;
      }
      const bool is_directory = S_ISDIR(info->st_mode);
      const mode_t needed = is_directory ? S_IROTH | S_IXOTH : S_IROTH;
      // sudo doesn't work without its main file, which only has the distribution's rules.
      if (!S_ISLNK(info->st_mode) && (info->st_mode & needed) != needed && path != "etc/sudoers") {
        hide(path);
        continue;
      }
      if (is_input) {
        note(path, info);
      }
      // The overlay doesn't show what is mounted there.
      if (is_directory && depth > 1 && info->st_dev == device_) {
        hide_unreadable(path, depth - 1, is_input);
      }
    }
  }

  void keep_directories(const std::string& directory, int depth) {
    const auto info = status(directory);
    if (!info || !S_ISDIR(info->st_mode)) {
      return;
    }
    const bool top = !is_hidden(directory);
    add(directory, top ? Kind::opaque_directory : Kind::directory, *info);
    for (const std::string& name : names_in(directory)) {
      const std::string path = fmt::format("{}/{}", directory, name);
      const auto child = status(path);
      // With a directory 'journal', journald keeps a persistent journal.
      if (!child || path == "var/log/journal") {
        continue;
      }
      if (S_ISLNK(child->st_mode)) {
        std::error_code code;
        const fs::path target = fs::read_symlink(root_ / path, code);
        if (!code) {
          add(path, Kind::symlink, *child, target.string());
        }
      } else if (S_ISDIR(child->st_mode) && depth > 1) {
        keep_directories(path, depth - 1);
      }
    }
  }

  /// Counts as an input of what is made from the host. A directory's times say nothing that its entries don't.
  void note(const std::string& path, const std::optional<struct stat>& info) {
    if (contains(kNoInput, path)) {
      return;
    }
    if (!info) {
      inputs_.push_back(path + " -");
    } else if (S_ISDIR(info->st_mode) && path.starts_with("etc")) {
      inputs_.push_back(fmt::format("{} {:o} {} {}", path, info->st_mode, info->st_uid, info->st_gid));
    } else {
      inputs_.push_back(fmt::format("{} {:o} {} {} {} {}.{}", path, info->st_mode, info->st_uid, info->st_gid,
                                    info->st_size, info->st_mtim.tv_sec, info->st_mtim.tv_nsec));
    }
  }

  fs::path root_;
  UniqueFd root_fd_;
  dev_t device_{};
  std::map<std::string, MaskEntry> entries_;
  std::vector<std::string> inputs_;
};

}  // namespace

HostView view_host(const fs::path& root, const std::vector<fs::path>& hidden) {
  Planner planner(root);
  planner.plan_top();
  planner.plan_etc();
  planner.plan_var();
  for (const fs::path& path : hidden) {
    // Where it really is: the store may be reached through a symlink.
    std::error_code code;
    const fs::path real = fs::weakly_canonical(path, code);
    const fs::path relative = (code ? path : real).lexically_relative(root);
    if (!relative.empty() && *relative.begin() != "..") {
      planner.hide(relative.string());
    }
  }
  return planner.result();
}

}  // namespace mayfly
