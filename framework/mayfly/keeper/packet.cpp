#include "mayfly/keeper/packet.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "mayfly/support/error.h"

namespace mayfly {

namespace {

constexpr std::size_t kMostAttached = 4;

}  // namespace

std::pair<UniqueFd, UniqueFd> make_packet_sockets() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw SystemError("make a pair of sockets");
  }
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

bool send_packet(int socket, std::string_view text, std::initializer_list<int> attach) {
  // sendmsg(2) reads only; its structures lack the const.
  iovec content{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostAttached * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  if (attach.size() > kMostAttached) {
    throw Error("more descriptors than fit into one message");
  }
  if (attach.size() > 0) {
    const std::size_t size = attach.size() * sizeof(int);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), attach.begin(), size);
  }
  for (;;) {
    if (sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) {
      return true;
    }
    if (errno == EPIPE || errno == ECONNRESET) {
      return false;
    }
    if (errno != EINTR) {
      throw SystemError("send a message between processes of Mayfly");
    }
  }
}

std::optional<Packet> receive_packet(int socket) {
  for (;;) {
    // A packet is received whole or cut, so its size has to be known first.
    const ssize_t size = recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC);
    if (size == 0 || (size < 0 && errno == ECONNRESET)) {
      return std::nullopt;
    }
    if (size < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw SystemError("receive a message between processes of Mayfly");
    }
    Packet packet{.text = std::string(static_cast<std::size_t>(size), '\0')};
    iovec content{packet.text.data(), packet.text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(kMostAttached * sizeof(int))];
    msghdr message{};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) < 0) {
      throw SystemError("receive a message between processes of Mayfly");
    }
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr && header->cmsg_type == SCM_RIGHTS) {
      for (std::size_t at = 0; at < header->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
        int attached = -1;
        std::memcpy(&attached, CMSG_DATA(header) + at, sizeof attached);
        packet.attached.emplace_back(attached);
      }
    }
    return packet;
  }
}

}  // namespace mayfly
