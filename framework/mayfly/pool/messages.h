#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <variant>

#include "mayfly/pool/request.h"

namespace mayfly {

/// What a test process tells the pool: one JSON text in one packet.
namespace to_pool {
/// Answered with HandOut or NoneReady when `hand_out` is set. In any case, the pool keeps such containers ready from
/// then on, for a while.
struct Want {
  PoolRequest request;
  bool hand_out = true;
};
/// The sender has started a container with the pool's keeper itself; it goes with the sender.
struct Mine {
  std::string name;
};
/// A container of the sender has been destroyed.
struct Gone {
  std::string name;
};
/// Asks a pool that nobody uses to end; answered with Ending.
struct End {};
}  // namespace to_pool
using ToPool = std::variant<to_pool::Want, to_pool::Mine, to_pool::Gone, to_pool::End>;

namespace from_pool {
/// The first message on every connection. With it come the keeper's socket and a pidfd of the keeper.
struct Hello {
  pid_t pool = -1;
  pid_t keeper = -1;
  std::string session;
  std::string build;  ///< build_identity() of the pool
};
/// The container is the receiver's now. With it comes a pidfd of its init.
struct HandOut {
  std::string name;
  std::string address{};
  std::string network_group{};
  pid_t init = -1;
};
struct NoneReady {
  std::string why;
};
struct Ending {
  bool ends = false;
  unsigned users = 0;       ///< who else uses it
  unsigned containers = 0;  ///< ready ones
};
}  // namespace from_pool
using FromPool = std::variant<from_pool::Hello, from_pool::HandOut, from_pool::NoneReady, from_pool::Ending>;

[[nodiscard]] std::string to_json(const ToPool& message);
[[nodiscard]] std::string to_json(const FromPool& message);
/// @throws Error when the text is no such message
[[nodiscard]] ToPool to_pool_from_json(std::string_view text);
/// @throws Error when the text is no such message
[[nodiscard]] FromPool from_pool_from_json(std::string_view text);

/// Tells builds of Mayfly apart, which may not understand each other: the state of the programs that it ships.
[[nodiscard]] std::string build_identity();

}  // namespace mayfly
