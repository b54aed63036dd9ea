#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "mayfly/support/paths.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

// Where a runtime directory's pool is found, and how there is never more than one. The pool listens in the directory of
// its own session, so that its keeper, or whoever purges a dead session, removes the socket with all the rest.

/// The right to be the pool of a runtime directory: a flock(2) on the directory of sessions, which the kernel drops
/// with its holder.
class PoolElection {
 public:
  /// @return nothing when there is a pool, or another candidate is about to become it
  [[nodiscard]] static std::optional<PoolElection> win(const Paths& paths);
  /// Whether what was locked is still the directory of that name: another session's end removes it when it is empty,
  /// which it is no more once this process has a session in it.
  [[nodiscard]] bool holds(const Paths& paths) const;

 private:
  explicit PoolElection(UniqueFd directory) : directory_(std::move(directory)) {}
  UniqueFd directory_;
};

/// A listening SOCK_SEQPACKET socket in a session's directory, for root alone. Doesn't block.
/// @throws SystemError
[[nodiscard]] UniqueFd listen_in_session(const Paths& paths, std::string_view session);

/// No new user finds the pool from then on.
void stop_listening(const Paths& paths, std::string_view session) noexcept;

/// A connection to the living pool; nothing when there is none, or when it isn't root's.
[[nodiscard]] std::optional<UniqueFd> connect_to_pool(const Paths& paths);

/// The process at the other end, if it may use this one's containers: it is root's, and sees the same processes and the
/// same files under the same names.
[[nodiscard]] std::optional<pid_t> trusted_peer(const UniqueFd& socket);

}  // namespace mayfly
