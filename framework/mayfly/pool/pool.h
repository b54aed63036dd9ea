#pragma once

#include <sys/types.h>

#include <chrono>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/keeper/client.h"
#include "mayfly/pool/jobs.h"
#include "mayfly/pool/messages.h"
#include "mayfly/pool/place.h"
#include "mayfly/pool/stock.h"
#include "mayfly/support/paths.h"

namespace mayfly {

/// The pool's event loop: containers are started by threads, everything else is done by one, which never waits for a
/// container.
class Pool {
 public:
  /// Starts a keeper and listens.
  /// @param first_user the connection of the process that has started the pool
  /// @param linger how long it goes on without users
  Pool(const Paths& paths, UniqueFd first_user, Milliseconds linger);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  /// Ends what is left, best effort.
  ~Pool();

  /// Serves until the last user has been gone for the time of `linger`, until it is told to end, or until its keeper
  /// has ended.
  void run(const PoolElection& election);

 private:
  using Time = PoolDemand::Time;
  struct User {
    UniqueFd socket;
    UniqueFd pidfd;
    std::map<std::string, std::string> containers{};  ///< the name of each, and the key of its stock
    bool left = false;
  };
  /// What became of a start.
  struct Outcome {
    std::string key{};
    unsigned stock = 0;  ///< Stock::number
    std::optional<WarmContainer> container{};
    std::string failure{};
  };

  void wait_and_handle();
  [[nodiscard]] int timeout() const;
  void accept_users();
  void add_user(UniqueFd socket);
  void handle(User& user);
  void handle(User& user, const to_pool::Want& message);
  void handle(User& user, const to_pool::Mine& message);
  void handle(User& user, const to_pool::Gone& message);
  void handle(User& user, const to_pool::End& message);
  void answer(User& user, const FromPool& message, std::initializer_list<int> attach = {}) const;
  [[nodiscard]] std::optional<WarmContainer> take(Stock& stock);
  void stop_using(const std::string& key);
  void dismiss_users();
  void collect_outcomes();
  void forget_unwanted();
  void refill();
  void start_one(const std::string& key, Stock& stock);
  [[nodiscard]] Outcome start_container(const PoolRequest& request, const std::string& name);
  void destroy(const std::string& name);
  void end() noexcept;

  Paths paths_;
  Milliseconds linger_;
  KeeperClient keeper_;
  KeeperAttachment attachment_;
  UniqueFd listening_;
  UniqueFd outcome_event_;
  std::list<User> users_;
  std::map<std::string, Stock> stocks_;
  std::mutex outcomes_mutex_;
  std::vector<Outcome> outcomes_;
  Time last_use_;
  unsigned next_container_ = 1;
  unsigned next_stock_ = 1;
  unsigned processors_;
  bool ending_ = false;
  Jobs jobs_;  ///< last: its threads use all the others
};

}  // namespace mayfly
