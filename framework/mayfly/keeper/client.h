#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "mayfly/container/container_spec.h"
#include "mayfly/image/image.h"
#include "mayfly/layer/root_view.h"
#include "mayfly/support/error.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A container that the keeper has started: its init runs (it hasn't necessarily booted).
struct StartedContainer {
  pid_t init_pid = -1;    ///< -1: it has ended already; exit_of() says why
  std::string address{};  ///< IPv4 address on the session's bridge, empty without network
};

/// What another process of the same user needs to talk to a keeper directly.
struct KeeperAttachment {
  UniqueFd socket;
  UniqueFd pidfd;  ///< of the keeper
  pid_t keeper = -1;
  std::string session{};
};

/// The test process's side of a keeper: starts `mayfly-keeper`, which owns everything from then on and undoes it when
/// this process ends in whatever way. Thread-safe: each request has its own reply channel, so that threads start
/// containers at the same time.
class KeeperClient {
 public:
  /// Starts a keeper for this process.
  /// @throws PrivilegeError when not root; Error when the keeper can't be started, with its own words
  explicit KeeperClient(const Paths& paths);
  /// Talks to the keeper of another process, which goes on owning the session: it ends with that process, and not with
  /// this object.
  explicit KeeperClient(KeeperAttachment attachment);
  /// Ends the session: everything that it still owns is undone. Waits until that is done.
  ~KeeperClient();
  KeeperClient(const KeeperClient&) = delete;
  KeeperClient& operator=(const KeeperClient&) = delete;

  [[nodiscard]] const std::string& session_id() const noexcept;

  /// For another process, to be sent there.
  [[nodiscard]] KeeperAttachment attachment() const;

  /// Returns once the container's init runs. A start that fails leaves nothing.
  /// @throws LxcError with the tail of liblxc's log and console
  [[nodiscard]] StartedContainer start(const ContainerSpec& spec);

  /// Kills the container and removes all that it had (not `ContainerSpec::writable`). What is gone already is no error.
  void destroy(const std::string& name);

  /// Asks init to shut down (systemd: SIGRTMIN+3, else SIGTERM), waits, kills at the deadline, then as destroy().
  /// @return whether it went down by itself
  bool shut_down(const std::string& name, Milliseconds within);

  /// Why the container isn't running; for one that runs, reason is empty.
  [[nodiscard]] ContainerExit exit_of(const std::string& name);

  /// Copies the container's console and liblxc logs to `directory` as console.log and lxc.log, as far as there are any.
  void save_logs(const std::string& name, const std::filesystem::path& directory);

  /// The container's root file system from outside. Keeps it alive, but unseen by others, for as long as it lives.
  /// @throws Error when there is no such container (any more)
  [[nodiscard]] std::shared_ptr<const RootView> root_view(const std::string& name);

  /// The session's build scope: what builds outside a container register with the keeper.
  [[nodiscard]] BuildScope build_scope();

  /// Ends the session explicitly; idempotent. @throws Error when something could not be undone
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;  ///< shared with build scopes
};

/// liblxc refused; what() ends with the tail of its log, since liblxc gives no other cause.
class LxcError : public Error {
  using Error::Error;
};

/// A session directory as `mayfly ps` and `mayfly gc` see it.
struct SessionInfo {
  std::string id;
  bool alive = false;  ///< the keeper holds its lease
  pid_t keeper_pid = -1;
  pid_t owner_pid = -1;  ///< the test process
  std::string owner_command;
  std::int64_t started_at = 0;  ///< seconds since the epoch
  struct ContainerInfo {
    std::string name, profile, address;
    pid_t init_pid = -1;
    std::int64_t started_at = 0;
  };
  std::vector<ContainerInfo> containers;
};

/// All sessions of this host, live and dead.
[[nodiscard]] std::vector<SessionInfo> list_sessions(const Paths& paths);

/// Undoes what dead sessions left: processes, cgroups, mounts, directories, staging; and temporary directories of dead
/// processes (OwnedTempDir). Live ones aren't touched.
/// @return one line for each thing that was removed
std::vector<std::string> purge_dead_sessions(const Paths& paths);

}  // namespace mayfly
