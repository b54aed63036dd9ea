#include "mayfly/network/bridge_namespace.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "mayfly/layer/namespace_holder.h"
#include "mayfly/network/address_pool.h"
#include "mayfly/network/host_guard.h"
#include "mayfly/network/router.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

// All of this runs between fork and _exit, so: ioctl(2) on the stack, nothing that allocates, and no need of ip(8).

constexpr const char* kTap = "tap0";  // slirp4netns's default

using Failure = NamespaceHolder::Failure;

ifreq request_for(const char* interface) noexcept {
  ifreq request{};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  return request;
}

sockaddr address_of(const char* text) noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, text, &address.sin_addr);
  sockaddr general{};
  std::memcpy(&general, &address, sizeof general);
  return general;
}

bool set_up(int control, const char* interface) noexcept {
  ifreq request = request_for(interface);
  if (::ioctl(control, SIOCGIFFLAGS, &request) != 0) {
    return false;
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return ::ioctl(control, SIOCSIFFLAGS, &request) == 0;
}

bool set_address(int control, unsigned long what, const char* interface, const char* address) noexcept {
  ifreq request = request_for(interface);
  request.ifr_addr = address_of(address);
  return ::ioctl(control, what, &request) == 0;
}

/// Persistent, so that it can be put on the bridge before slirp4netns attaches to it.
bool make_tap(int device) noexcept {
  ifreq request = request_for(kTap);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  return ::ioctl(device, TUNSETIFF, &request) == 0 && ::ioctl(device, TUNSETPERSIST, 1) == 0;
}

bool add_to_bridge(int control, const char* bridge, const char* interface) noexcept {
  ifreq index = request_for(interface);
  if (::ioctl(control, SIOCGIFINDEX, &index) != 0) {
    return false;
  }
  ifreq request = request_for(bridge);
  request.ifr_ifindex = index.ifr_ifindex;
  return ::ioctl(control, SIOCBRADDIF, &request) == 0;
}

bool add_default_route(int control) noexcept {
  rtentry route{};
  route.rt_dst = address_of("0.0.0.0");
  route.rt_genmask = address_of("0.0.0.0");
  route.rt_gateway = address_of(kGateway);
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  return ::ioctl(control, SIOCADDRT, &route) == 0;
}

Failure set_up_namespace() noexcept {
  const char* const bridge = Router::kBridge;
  const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int device = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (control < 0 || !set_up(control, "lo")) {
    return {"set up the router's loopback", errno};
  }
  if (device < 0 || !make_tap(device)) {
    return {"make a tap interface by '/dev/net/tun'", errno};
  }
  if (!guard_host(device)) {
    return {"attach the filter that keeps containers off the host's loopback", errno};
  }
  if (::ioctl(control, SIOCBRADDBR, bridge) != 0 || !add_to_bridge(control, bridge, kTap) ||
      !set_address(control, SIOCSIFADDR, bridge, kRouterAddress) ||
      !set_address(control, SIOCSIFNETMASK, bridge, "255.255.255.0") || !set_up(control, bridge) ||
      !set_up(control, kTap)) {
    return {"make the bridge 'mayfly0'", errno};
  }
  if (!add_default_route(control)) {
    return {"add the router's default route", errno};
  }
  ::close(device);  // else slirp4netns finds the tap busy
  return {};
}

}  // namespace

UniqueFd make_bridge_namespace() {
  return NamespaceHolder(CLONE_NEWNET, "create network namespace", set_up_namespace).open("net");
}

}  // namespace mayfly
