#pragma once

#include <sys/types.h>

#include "mayfly/support/unique_fd.h"

namespace mayfly::bench {

/// A bridge in a network namespace of its own, and what the kernel takes to put a container on it. Gone with this.
class FloorNetwork {
 public:
  /// @throws SystemError
  FloorNetwork();
  /// Makes a veth(4) pair: one end is a port of the bridge, the other is `eth0` in the network namespace of `process`,
  /// with an address, up. The kernel removes both with that namespace.
  void attach(pid_t process) const;

 private:
  UniqueFd socket_;      ///< rtnetlink(7) in the bridge's namespace, which lives as long
  unsigned bridge_ = 0;  ///< its interface's number
};

}  // namespace mayfly::bench
