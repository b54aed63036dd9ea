#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/container/container_spec.h"

namespace mayfly {

/// A file of the seed: a small read-only layer above the image with what is each container's own, so that none of it
/// appears in the writable layer.
struct SeedFile {
  std::filesystem::path path;  ///< relative to the root directory
  std::string content{};
  std::filesystem::path link_to{};  ///< not empty: a symlink instead
  unsigned directory_mode = 0;      ///< not 0: a directory instead
  /// When it says that it was changed, since the epoch; 0: when it is written.
  std::chrono::nanoseconds modified{};
  friend bool operator==(const SeedFile&, const SeedFile&) = default;
};

/// What the seed of one container says that isn't in its spec.
struct SeedFacts {
  std::string machine_id;                    ///< 32 hexadecimal digits
  std::string address{};                     ///< on the session's bridge; empty without one
  std::optional<std::string> resolv_conf{};  ///< nothing: the image's own stays
  /// Of an image that doesn't say that it has been booted: when its /usr was changed.
  std::optional<std::chrono::nanoseconds> usr_changed{};
};

/// SeedFacts::usr_changed of an image's root file system.
[[nodiscard]] std::optional<std::chrono::nanoseconds> usr_changed(const std::filesystem::path& image);

/// Mount points that an image may lack; host name, hosts, resolver, machine id; for systemd what its boot leaves out
/// (lean_boot()), what the profile masks, and that nothing has to be updated since its last boot
/// (systemd-update-done.service(8)): an image's packages have made their users as they were installed.
[[nodiscard]] std::vector<SeedFile> seed_files(const ContainerSpec& spec, const SeedFacts& facts);

/// Writes the files below `directory`, all owned by user and group `owner`.
/// @throws SystemError
void write_seed(const std::filesystem::path& directory, const std::vector<SeedFile>& files, unsigned owner);

/// A random machine id, see machine-id(5).
[[nodiscard]] std::string random_machine_id();

}  // namespace mayfly
