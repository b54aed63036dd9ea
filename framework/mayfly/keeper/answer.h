#pragma once

#include "mayfly/keeper/protocol.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// Sends a reply to the test process. That it has gone, or doesn't want to know any more, is no failure; what else goes
/// wrong is logged.
void answer(int socket, const Reply& reply);
void answer(const UniqueFd& socket, const Reply& reply);

}  // namespace mayfly
