#include "mayfly/keeper/answer.h"

#include <fmt/format.h>

#include "mayfly/keeper/packet.h"
#include "mayfly/support/error.h"
#include "mayfly/support/log.h"

namespace mayfly {

void answer(int socket, const Reply& reply) {
  try {
    try {
      (void)send_packet(socket, to_json(reply));
    } catch (const SystemError& error) {
      // Too long for a packet.
      (void)send_packet(socket, to_json(failure_from(error)));
    }
  } catch (const Error& error) {
    log(LogLevel::warning, fmt::format("keeper: {}", error.what()));
  }
}

void answer(const UniqueFd& socket, const Reply& reply) { answer(socket.get(), reply); }

}  // namespace mayfly
