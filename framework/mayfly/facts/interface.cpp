#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "mayfly/exec/socket.h"
#include "mayfly/facts/network_facts.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

// The attributes that follow a message's own header (rtnetlink(7)).
template <typename Header>
void for_each_attribute(const nlmsghdr& message, const std::function<void(int type, std::string_view data)>& use) {
  const char* data = reinterpret_cast<const char*>(&message) + NLMSG_SPACE(sizeof(Header));
  const char* end = reinterpret_cast<const char*>(&message) + message.nlmsg_len;
  while (data + sizeof(rtattr) <= end) {
    rtattr attribute{};
    std::memcpy(&attribute, data, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || data + attribute.rta_len > end) return;
    use(attribute.rta_type, {data + RTA_LENGTH(0), static_cast<std::size_t>(attribute.rta_len) - RTA_LENGTH(0)});
    data += RTA_ALIGN(attribute.rta_len);
  }
}

// Asks for all objects of a kind and hands each one's message over.
void dump(const UniqueFd& socket, std::uint16_t type, const std::function<void(const nlmsghdr&)>& use) {
  struct {
    nlmsghdr header;
    rtgenmsg what;
  } request{};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.what);
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.what.rtgen_family = AF_UNSPEC;
  if (::send(socket.get(), &request, request.header.nlmsg_len, 0) < 0) throw SystemError("ask for the interfaces");
  alignas(nlmsghdr) std::array<char, 32'768> buffer{};
  while (true) {
    const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      throw SystemError("read the interfaces");
    }
    auto left = static_cast<std::size_t>(size);
    for (const char* at = buffer.data(); left >= sizeof(nlmsghdr);) {
      const auto& message = *reinterpret_cast<const nlmsghdr*>(at);
      if (message.nlmsg_type == NLMSG_DONE || message.nlmsg_len < sizeof(nlmsghdr) || message.nlmsg_len > left) return;
      if (message.nlmsg_type == NLMSG_ERROR) throw SystemError("read the interfaces", EIO);
      use(message);
      const std::size_t step = std::min<std::size_t>(NLMSG_ALIGN(message.nlmsg_len), left);
      at += step;
      left -= step;
    }
  }
}

template <typename Header>
Header header_of(const nlmsghdr& message) {
  Header header{};
  std::memcpy(&header, reinterpret_cast<const char*>(&message) + NLMSG_LENGTH(0), sizeof header);
  return header;
}

std::string mac_text(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes)
    text += fmt::format("{}{:02x}", text.empty() ? "" : ":", static_cast<unsigned char>(byte));
  return text;
}

std::string address_text(int family, const std::string& bytes, unsigned prefix) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, bytes.data(), text.data(), text.size());
  return fmt::format("{}/{}", text.data(), prefix);
}

}  // namespace

InterfaceFact interface(const Target& target, const std::string& name) {
  InterfaceFact fact{.name = name};
  const UniqueFd socket = open_socket(target, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  int index = 0;
  dump(socket, RTM_GETLINK, [&](const nlmsghdr& message) {
    const auto link = header_of<ifinfomsg>(message);
    InterfaceFact found{.exists = true, .up = (link.ifi_flags & IFF_UP) != 0};
    for_each_attribute<ifinfomsg>(message, [&](int type, std::string_view data) {
      if (type == IFLA_IFNAME) {
        found.name = data.substr(0, data.find('\0'));
      } else if (type == IFLA_MTU && data.size() == sizeof found.mtu) {
        std::copy_n(data.begin(), sizeof found.mtu, reinterpret_cast<char*>(&found.mtu));
      } else if (type == IFLA_ADDRESS) {
        found.mac = mac_text(data);
      }
    });
    if (found.name == name) {
      index = link.ifi_index;
      fact = std::move(found);
    }
  });
  if (!fact.exists) return fact;
  dump(socket, RTM_GETADDR, [&](const nlmsghdr& message) {
    const auto address = header_of<ifaddrmsg>(message);
    if (static_cast<int>(address.ifa_index) != index) return;
    // On a point-to-point link IFA_ADDRESS is the other end's; IFA_LOCAL, which IPv6 hasn't, is ours.
    std::string bytes;
    for_each_attribute<ifaddrmsg>(message, [&](int type, std::string_view data) {
      if (type == IFA_LOCAL || (type == IFA_ADDRESS && bytes.empty())) bytes = data;
    });
    if (!bytes.empty()) fact.addresses.push_back(address_text(address.ifa_family, bytes, address.ifa_prefixlen));
  });
  return fact;
}

}  // namespace mayfly
