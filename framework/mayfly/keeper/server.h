#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <linux/filter.h>

#include "mayfly/container/cgroup.h"
#include "mayfly/keeper/machine.h"
#include "mayfly/keeper/private_mounts.h"
#include "mayfly/keeper/protocol.h"
#include "mayfly/keeper/session_directory.h"
#include "mayfly/network/address_pool.h"
#include "mayfly/network/router.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/paths.h"

namespace mayfly {

/// The keeper's event loop. Single-threaded: monitors die with the *thread* that forked them (PR_SET_PDEATHSIG), and
/// liblxc refuses to start a container in the foreground of a threaded process.
class Server {
 public:
  /// Makes the private mounts, purges what dead sessions left, takes the lease.
  /// @param socket requests come from here; stays the caller's
  /// @param owner pidfd of the test process: its end ends the session, whoever else holds the socket
  Server(int socket, UniqueFd owner, const Paths& paths);
  ~Server();

  /// Serves until the test process has ended or asks to close, then undoes everything.
  /// @return whether all could be undone
  bool run();

 private:
  /// A request that is answered later.
  struct Pending {
    UniqueFd socket;
    std::optional<bool> went_down{};  ///< of a shut-down
  };
  struct Entry {
    std::unique_ptr<Machine> machine;
    std::optional<UniqueFd> start{};
    std::vector<Pending> removal{};
    std::vector<UniqueFd> exit_questions{};
    std::optional<Deadline> deadline{};  ///< of the phase that it is in
    bool shutting_down = false;
    std::optional<Deadline> ask_by{};  ///< init is still to be asked to shut down, even if it seems deaf by then
  };
  using Entries = std::map<std::string, Entry>;
  /// What the containers of one group (see ContainerSpec::network_group) share.
  struct PrivateNetwork {
    std::unique_ptr<Router> router;
    AddressPool addresses{};
  };

  void wait_and_handle();
  void handle_socket();
  void handle_children();
  // Handlers take `reply` over only when it is answered, or will be; what they throw is answered by the caller.
  void handle(request::Start& request, UniqueFd& reply);
  void handle(request::Destroy& request, UniqueFd& reply);
  void handle(request::ShutDown& request, UniqueFd& reply);
  void handle(request::ExitOf& request, UniqueFd& reply);
  void handle(request::Logs& request, UniqueFd& reply);
  void handle(request::RootView& request, UniqueFd& reply);
  void handle(request::BuildCgroup& request, UniqueFd& reply);
  void handle(request::Own& request, UniqueFd& reply);
  void handle(request::Disown& request, UniqueFd& reply);
  void handle(request::Close& request, UniqueFd& reply);

  Entry& entry(const std::string& name);
  [[nodiscard]] MachineNetwork network_for(const ContainerSpec& spec);
  /// Gives an address back, and ends a group's network with its last container.
  void leave_network(const std::string& group, const std::string& address);
  void advance_starting(Entry& entry);
  void ask_to_shut_down(Entry& entry);
  void init_ended(Entry& entry);
  void monitor_ended(Entries::iterator at);
  void deadline_passed(Entry& entry);
  void stop(Entry& entry);
  void fail_start(Entry& entry);
  void finish(Entries::iterator at);
  /// A failure is noted for the session's end, too.
  std::optional<reply::Failure> remove(Machine& machine);
  void remove_next_ended();
  void remove_ended(const std::string& name);
  void undo_everything();

  int socket_;
  UniqueFd owner_;
  UniqueFd host_mounts_;  ///< the host's mount namespace
  Paths paths_;
  std::filesystem::path disk_;  ///< the host's path of MachineSurroundings::disk
  PrivateMounts mounts_;
  Cgroups cgroups_;
  std::unique_ptr<SessionDirectory> directory_;
  std::vector<sock_filter> filter_;
  std::unique_ptr<MachineSurroundings> surroundings_;
  UniqueFd child_signals_;
  std::map<std::string, PrivateNetwork> networks_;  ///< by group; made for the first container that wants it
  Entries entries_;
  /// Nothing runs in them any more, and their end has been answered: mounts and cgroups are removed when nobody waits.
  std::deque<std::unique_ptr<Machine>> ended_machines_;
  std::vector<std::string> failures_;
  std::optional<UniqueFd> closing_{};
  bool ended_ = false;
};

}  // namespace mayfly
