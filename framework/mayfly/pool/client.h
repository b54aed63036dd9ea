#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "mayfly/exec/target.h"
#include "mayfly/keeper/client.h"
#include "mayfly/pool/request.h"
#include "mayfly/support/paths.h"

namespace mayfly {

/// A container that the pool has handed out: ready, never used before, and its receiver's alone. The pool destroys it
/// when the receiving process or its PoolClient has gone.
struct PooledContainer {
  std::shared_ptr<KeeperClient> keeper;  ///< the pool's keeper
  std::string name;                      ///< by which the keeper knows it
  std::string address{};                 ///< empty without network
  std::string network_group{};           ///< see ContainerSpec
  Target target;
};

/// A test process's side of the pool of its runtime directory. The pool only makes things faster: with none, or one
/// that is full, busy, of another build or dead, there is nothing to take, and the caller starts what it needs itself.
/// Thread-safe.
class PoolClient {
 public:
  /// Does nothing yet: the first take() looks for the pool.
  explicit PoolClient(Paths paths);
  /// As close().
  ~PoolClient();
  PoolClient(const PoolClient&) = delete;
  PoolClient& operator=(const PoolClient&) = delete;

  /// A ready container, if the pool has one; at once in any case. The pool keeps some ready from then on. Where there
  /// is no pool one is started, in the background, for those who ask later.
  [[nodiscard]] std::optional<PooledContainer> take(const PoolRequest& request) noexcept;

  /// Before a container is started with the pool's keeper by KeeperClient::start(): the pool destroys it, too, when
  /// this process has gone.
  /// @return a name for it that no other process uses; nothing when the connection has been lost
  [[nodiscard]] std::optional<std::string> adopt(const std::string& name) noexcept;

  /// After the keeper has destroyed a container of this client.
  void gone(const std::string& name) noexcept;

  /// Destroys the containers that haven't gone, and leaves the pool. Idempotent.
  void close() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What became of the wish to end the pool.
struct PoolEnd {
  pid_t pool = -1;          ///< -1: there was none
  bool ended = false;       ///< false: it is in use
  unsigned users = 0;       ///< the processes that use it
  unsigned containers = 0;  ///< that were ready
};

/// Ends the pool of a runtime directory if nobody uses it; returns when it has gone, with everything that it had.
PoolEnd end_idle_pool(const Paths& paths);

}  // namespace mayfly
