#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "mayfly/image/image.h"
#include "mayfly/keeper/client.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A session's keeper, started when something needs it for the first time: who gets all containers from a pool, and has
/// nothing to build, needs none. Thread-safe.
class SessionKeeper {
 public:
  explicit SessionKeeper(Paths paths) : paths_(std::move(paths)) {}

  /// @throws Error when it can't be started, or the session has been closed before
  [[nodiscard]] std::shared_ptr<KeeperClient> get();

  /// Runs `work`, which looks something up in a store and builds it where it isn't there, with the scope that the build
  /// needs. Without a keeper yet, it is looked up without one first.
  template <typename Work>
  auto build_if_missing(Work&& work) {
    if (!started()) {
      try {
        return work(scope_of_look_up());
      } catch (const NeedsKeeper&) {
        // Nothing has been made: a build's path is owned before it is created.
      }
    }
    return work(get()->build_scope());
  }

  /// Ends the session, if it has begun. Idempotent. @throws Error when something could not be undone
  void close();

 private:
  struct NeedsKeeper {};
  [[nodiscard]] bool started();
  [[nodiscard]] BuildScope scope_of_look_up();

  Paths paths_;
  std::mutex mutex_;
  std::shared_ptr<KeeperClient> keeper_;
  /// On entries of the store that were looked up without a keeper. The keeper's client has the others.
  std::map<std::filesystem::path, UniqueFd> leases_;
  bool closed_ = false;
};

}  // namespace mayfly
