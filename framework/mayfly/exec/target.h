#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mayfly/support/error.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A container stopped before or while it was used.
class StoppedError : public Error {
  using Error::Error;
};

/// A running container as seen from outside: what is needed to enter it, read from its init's /proc entry once. Cheap
/// to copy; copies share the descriptors.
///
/// The init's pidfd pins the identity: when it has died, entering fails with "container has stopped" and never reaches
/// another process that got the same pid.
class Target {
 public:
  /// @param init_pid the container's process 1 as the caller's pid namespace numbers it
  /// @throws SystemError; StoppedError or Error when the process is gone
  [[nodiscard]] static Target from_init(pid_t init_pid);

  [[nodiscard]] pid_t init_pid() const noexcept;
  [[nodiscard]] int init_pidfd() const noexcept;
  /// True once process 1 has died.
  [[nodiscard]] bool dead() const;
  /// O_PATH descriptor of the container's root directory, for openat2(2) with RESOLVE_IN_ROOT.
  [[nodiscard]] int root_fd() const noexcept;

  struct State;
  [[nodiscard]] const State& state() const noexcept { return *state_; }

 private:
  explicit Target(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace mayfly
