#pragma once

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// Decides which devices the processes of a privileged container can use: its root is the host's and may make any
/// device node, but reads and writes only through /dev/{null,zero,full,random,urandom,tty,console,ptmx,fuse} and
/// pseudo-terminals. An eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE, loaded once and attached to the cgroup of
/// each such container.
class DeviceFilter {
 public:
  /// @throws SystemError
  DeviceFilter();
  /// For all processes in the cgroup (version 2) and beneath it; programs that a systemd in there attaches count in
  /// addition. Goes with the cgroup. @throws SystemError
  void attach(int cgroup_directory) const;

 private:
  UniqueFd program_;
};

}  // namespace mayfly
