#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "mayfly/support/file_io.h"

namespace mayfly::bench {

/// A program that a peer needs, and Debian's package with it.
struct Needed {
  const char* program;
  const char* package;
};

/// @return empty, or "'podman' isn't installed (apt install podman)"
[[nodiscard]] std::string missing(std::initializer_list<Needed> programs);

/// A writable overlay above `rootfs` with its upper on disk, as the peers without one of their own get it.
class DiskOverlay {
 public:
  DiskOverlay(const std::filesystem::path& rootfs, std::filesystem::path scratch);
  ~DiskOverlay();
  DiskOverlay(const DiskOverlay&) = delete;
  DiskOverlay& operator=(const DiskOverlay&) = delete;
  [[nodiscard]] std::filesystem::path merged() const { return scratch_ / "merged"; }

 private:
  std::filesystem::path scratch_;
};

/// liblxc's own tools on an overlay: `lxc-copy -e`, `lxc-attach`, `lxc-stop -k`. The configuration lives in a directory
/// of its own; the cgroup directories that liblxc's daemonized start leaves are removed by the destructor.
class LxcTools {
 public:
  /// @param init what the container runs; "/sbin/init" for one that boots
  LxcTools(const std::filesystem::path& rootfs, std::filesystem::path scratch, const std::string& init);
  ~LxcTools();
  LxcTools(const LxcTools&) = delete;
  LxcTools& operator=(const LxcTools&) = delete;

  /// @return the name of a new ephemeral container
  std::string start();
  void attach(const std::string& name, const std::vector<std::string>& command) const;
  void stop(const std::string& name) const;
  void cycle();

 private:
  std::filesystem::path lxcpath_;
  bool pivot_existed_;
  int number_ = 0;
};

/// liblxc's API as its documentation shows it (daemonized start, attach_run_wait, stop, with common.conf), in a process
/// of its own, since the start moves its caller between cgroups.
void liblxc_cycle(const std::filesystem::path& rootfs, const std::filesystem::path& scratch);

/// podman with storage of its own and runc as the runtime, without a network, on `--rootfs DIR:O`.
class Podman {
 public:
  Podman(std::filesystem::path rootfs, std::filesystem::path scratch);
  ~Podman();
  Podman(const Podman&) = delete;
  Podman& operator=(const Podman&) = delete;

  void cycle() const;  ///< `podman run --rm`
  void start(const std::string& name, const std::vector<std::string>& command,
             const std::vector<std::string>& options = {}) const;  ///< `podman run -d`
  void exec(const std::string& name, const std::vector<std::string>& command) const;
  void remove(const std::vector<std::string>& names) const;  ///< `podman rm -f -t 0`

 private:
  [[nodiscard]] std::vector<std::string> run_command(const std::vector<std::string>& options,
                                                     const std::vector<std::string>& command) const;
  [[nodiscard]] std::vector<std::string> podman(const std::vector<std::string>& arguments) const;
  std::filesystem::path rootfs_;
  std::filesystem::path scratch_;
  TempDir run_{"mayfly-bench-", "/run"};  ///< podman wants a path of at most 50 characters
  bool parent_existed_;
};

/// An OCI bundle for `runtime` ("crun", "runc") on a disk overlay: `spec`'s own configuration with another command.
void oci_cycle(const std::string& runtime, const std::filesystem::path& rootfs, const std::filesystem::path& scratch);

void nspawn_cycle(const std::filesystem::path& rootfs);

void bubblewrap_cycle(const std::filesystem::path& rootfs, const std::filesystem::path& scratch);

}  // namespace mayfly::bench
