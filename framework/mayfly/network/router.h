#pragma once

#include <sys/types.h>

#include <string>

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// Where the host's name servers are to be read from (see Router).
struct RouterOptions {
  /// A mount namespace that shows the host's /etc/resolv.conf (often a link into /run), for a caller whose own doesn't;
  /// -1: the caller's.
  int mount_namespace = -1;
};

/// The way out for containers with `network = "nat"`: a network namespace that nobody lives in, with a bridge that the
/// containers' veths are put on and a tap interface that slirp4netns serves from outside with sockets of the host.
///
/// ```
/// container eth0 10.0.2.32 --veth--+
/// container eth0 10.0.2.33 --veth--+- mayfly0 10.0.2.1 -- tap0 == slirp4netns: gateway 10.0.2.2, names 10.0.2.3
///                                  router namespace    |  host's network namespace
/// ```
///
/// So the host gets no interface, route, firewall rule or sysctl. Ends with its process, however that ends: slirp4netns
/// has it as its parent-death signal, and the namespace goes with its last descriptor and its last container.
///
/// For single-threaded processes: the death of the thread that made it counts as that of the process.
class Router {
 public:
  static constexpr const char* kBridge = "mayfly0";

  /// Blocks until slirp4netns serves the namespace, about 10 ms.
  /// @throws Error when slirp4netns isn't installed, or ends with its own words; SystemError
  explicit Router(const RouterOptions& options = {});
  /// Ends slirp4netns and reaps it.
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  [[nodiscard]] int netns_fd() const noexcept { return netns_.get(); }
  [[nodiscard]] std::string bridge() const { return kBridge; }
  /// The child process. A caller that reaps all of its children may reap it as well.
  [[nodiscard]] pid_t slirp_pid() const noexcept { return slirp_; }

 private:
  void end_slirp() noexcept;
  UniqueFd netns_;
  pid_t slirp_ = -1;
  UniqueFd slirp_pidfd_;
};

}  // namespace mayfly
