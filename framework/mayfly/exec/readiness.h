#pragma once

#include <functional>
#include <vector>

#include "mayfly/container/container_spec.h"
#include "mayfly/exec/target.h"
#include "mayfly/profile/profile.h"
#include "mayfly/support/error.h"
#include "mayfly/support/log.h"

namespace mayfly {

/// A container died, or never became ready.
class NotReadyError : public Error {
  using Error::Error;
};

/// `container died before it was ready: init exited with status 3`, with the last lines of its console.
[[nodiscard]] NotReadyError died_before_ready(const ContainerExit& exit);

/// Waits until all conditions hold. Fails at once when the container dies, and says why: exit status, out of memory,
/// last lines of the console; on a timeout it names each condition that doesn't hold and what it saw instead (systemd:
/// the failed units).
/// @param why asks the keeper why the container died
/// @throws NotReadyError
void wait_until_ready(const Target& target, const std::vector<ReadyWhen>& conditions, Milliseconds within,
                      const std::function<ContainerExit()>& why, const Progress& progress);

}  // namespace mayfly
