#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// One message of a SOCK_SEQPACKET socket.
struct Packet {
  std::string text;
  std::vector<UniqueFd> attached{};  ///< the descriptors that came with it
};

/// Two connected sockets with O_CLOEXEC.
[[nodiscard]] std::pair<UniqueFd, UniqueFd> make_packet_sockets();

/// Sends one packet; blocks while the other end's queue is full.
/// @param attach at most 4 descriptors to go with it; they stay the caller's
/// @return false when there is no other end any more
/// @throws SystemError, for example EMSGSIZE
bool send_packet(int socket, std::string_view text, std::initializer_list<int> attach = {});

/// Receives one packet; blocks until there is one.
/// @return nothing when there is no other end any more
[[nodiscard]] std::optional<Packet> receive_packet(int socket);

}  // namespace mayfly
