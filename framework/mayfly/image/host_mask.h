#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace mayfly {

/// One entry of the overlay layer that lies on the host's root and hides what a container must not see.
struct MaskEntry {
  enum class Kind {
    whiteout,          ///< the host's entry is gone
    directory,         ///< merged with the host's: only there to hold other entries
    opaque_directory,  ///< empty, apart from what the mask itself has below it
    symlink,
    file,
  };
  std::string path;  ///< relative to the root: "etc/shadow"
  Kind kind{};
  mode_t mode = 0;  ///< permission bits
  uid_t uid = 0;
  gid_t gid = 0;
  std::string content{};  ///< a file's bytes, a symlink's target
  friend bool operator==(const MaskEntry&, const MaskEntry&) = default;
};

/// How the host's root looks through the mask.
struct HostView {
  std::vector<MaskEntry> mask;  ///< parents before children
  std::string fingerprint;      ///< changes with the visible part of /etc and with the host's packages
};

/// Decides what of the root file system `root` is shown: usr, bin, sbin, lib*, etc, opt and var, and of etc and var
/// nothing that others than the owner can't read, no host keys, no logs, no data of servers. docs/images.md has the
/// list. Only reads.
/// @param hidden further absolute paths to hide: Mayfly's own store
/// @throws SystemError when a directory can't be read
[[nodiscard]] HostView view_host(const std::filesystem::path& root, const std::vector<std::filesystem::path>& hidden);

/// Makes the mask's entries below `directory`, as root: whiteouts are device nodes, opaqueness is a trusted attribute.
/// @throws SystemError; with EPERM, when the file system is an overlay itself, it has a hint
void write_mask(const std::vector<MaskEntry>& mask, const std::filesystem::path& directory);

}  // namespace mayfly
