#pragma once

#include <filesystem>
#include <string>

namespace mayfly::bench {

/// `lxc-copy -e`, `lxc-attach`, `lxc-stop -k`: an ephemeral overlay clone with liblxc's own tools. Its configuration
/// lives in a directory of its own; the cgroup directories that liblxc's daemonized start leaves are removed by the
/// destructor.
class LxcTools {
 public:
  /// @throws Error with a hint when the tools are missing
  LxcTools(const std::filesystem::path& rootfs, std::filesystem::path scratch);
  ~LxcTools();
  LxcTools(const LxcTools&) = delete;
  LxcTools& operator=(const LxcTools&) = delete;
  void cycle();

 private:
  std::filesystem::path lxcpath_;
  bool pivot_existed_;
  int number_ = 0;
};

/// `podman run --rm --network none --rootfs DIR:O`, with storage of its own and runc as the runtime.
class Podman {
 public:
  /// @throws Error with a hint when podman or runc is missing
  Podman(std::filesystem::path rootfs, std::filesystem::path scratch);
  ~Podman();
  Podman(const Podman&) = delete;
  Podman& operator=(const Podman&) = delete;
  void cycle() const;

 private:
  std::filesystem::path rootfs_;
  std::filesystem::path scratch_;
  bool parent_existed_;
};

}  // namespace mayfly::bench
