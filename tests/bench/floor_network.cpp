#include "bench/floor_network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <thread>

#include "mayfly/support/error.h"

namespace mayfly::bench {
namespace {

/// A message of rtnetlink(7) as it is put together.
class Request {
 public:
  Request(std::uint16_t type, std::uint16_t flags) {
    header().nlmsg_len = NLMSG_HDRLEN;
    header().nlmsg_type = type;
    header().nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  }
  template <typename Body>
  void body(const Body& value) {
    append(&value, sizeof value);
  }
  void attribute(std::uint16_t type, const void* data, std::size_t size) {
    const rtattr attribute{static_cast<std::uint16_t>(RTA_LENGTH(size)), type};
    append(&attribute, sizeof attribute);
    append(data, size);
  }
  void attribute(std::uint16_t type, std::string_view text) { attribute(type, text.data(), text.size()); }
  void attribute(std::uint16_t type, std::uint32_t number) { attribute(type, &number, sizeof number); }
  /// What `inner` adds stands within an attribute.
  template <typename Inner>
  void nested(std::uint16_t type, Inner inner) {
    const std::size_t start = header().nlmsg_len;
    attribute(type, nullptr, 0);
    inner();
    reinterpret_cast<rtattr*>(bytes_.data() + start)->rta_len = static_cast<std::uint16_t>(header().nlmsg_len - start);
  }

  /// @throws SystemError of what the kernel answers
  void send(const UniqueFd& socket, const char* what) {
    if (::send(socket.get(), bytes_.data(), header().nlmsg_len, 0) < 0) {
      throw SystemError(what);
    }
    alignas(nlmsghdr) std::array<char, 4096> answer{};
    const ssize_t got = recv(socket.get(), answer.data(), answer.size(), 0);
    const auto* error = reinterpret_cast<const nlmsgerr*>(answer.data() + NLMSG_HDRLEN);
    if (got < static_cast<ssize_t>(NLMSG_HDRLEN + sizeof *error) || error->error != 0) {
      throw SystemError(what, got < 0 ? errno : -error->error);
    }
  }

 private:
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  void append(const void* data, std::size_t size) {
    if (size != 0) {
      std::memcpy(bytes_.data() + header().nlmsg_len, data, size);
    }
    header().nlmsg_len += static_cast<std::uint32_t>(NLMSG_ALIGN(size));
  }
  alignas(nlmsghdr) std::array<char, 1024> bytes_{};
};

UniqueFd open_rtnetlink() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) {
    throw SystemError("open an rtnetlink socket");
  }
  return socket;
}

/// Works in another network namespace, which is a thread's own matter. What is opened there stays.
template <typename Work>
UniqueFd in_network_of(const std::string& file, Work work) {
  UniqueFd socket;
  std::exception_ptr failure;
  std::thread([&] {
    try {
      const UniqueFd network(file.empty() ? -1 : open(file.c_str(), O_RDONLY | O_CLOEXEC));
      if (file.empty() ? unshare(CLONE_NEWNET) != 0 : setns(network.get(), CLONE_NEWNET) != 0) {
        throw SystemError("enter a network namespace");
      }
      socket = open_rtnetlink();
      work(socket);
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) {
    std::rethrow_exception(failure);
  }
  return socket;
}

void set_up(const UniqueFd& socket, unsigned link) {
  Request request(RTM_NEWLINK, 0);
  request.body(ifinfomsg{.ifi_family = AF_UNSPEC,
                         .__ifi_pad = 0,
                         .ifi_type = 0,
                         .ifi_index = static_cast<int>(link),
                         .ifi_flags = IFF_UP,
                         .ifi_change = IFF_UP});
  request.send(socket, "bring an interface up");
}

}  // namespace

FloorNetwork::FloorNetwork() {
  socket_ = in_network_of("", [&](const UniqueFd& socket) {
    Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    request.body(ifinfomsg{});
    request.attribute(IFLA_IFNAME, "floor0");
    request.nested(IFLA_LINKINFO, [&] { request.attribute(IFLA_INFO_KIND, "bridge"); });
    request.send(socket, "make a bridge");
    bridge_ = if_nametoindex("floor0");
    set_up(socket, bridge_);
  });
}

void FloorNetwork::attach(pid_t process) const {
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.body(ifinfomsg{.ifi_family = AF_UNSPEC,
                         .__ifi_pad = 0,
                         .ifi_type = 0,
                         .ifi_index = 0,
                         .ifi_flags = IFF_UP,
                         .ifi_change = IFF_UP});
  request.attribute(IFLA_IFNAME, fmt::format("v{}", process));
  request.attribute(IFLA_MASTER, bridge_);
  request.nested(IFLA_LINKINFO, [&] {
    request.attribute(IFLA_INFO_KIND, "veth");
    request.nested(IFLA_INFO_DATA, [&] {
      request.nested(VETH_INFO_PEER, [&] {
        request.body(ifinfomsg{});
        request.attribute(IFLA_IFNAME, "eth0");
        request.attribute(IFLA_NET_NS_PID, static_cast<std::uint32_t>(process));
      });
    });
  });
  request.send(socket_, "make a veth pair");
  in_network_of(fmt::format("/proc/{}/ns/net", process), [](const UniqueFd& socket) {
    const unsigned link = if_nametoindex("eth0");
    const std::uint32_t address = inet_addr("10.0.2.32");
    Request add(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    add.body(ifaddrmsg{.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_flags = 0, .ifa_scope = 0, .ifa_index = link});
    add.attribute(IFA_LOCAL, address);
    add.send(socket, "set an address");
    set_up(socket, link);
  });
}

}  // namespace mayfly::bench
