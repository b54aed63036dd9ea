#include "mayfly/pool/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <set>
#include <utility>

#include "mayfly/keeper/detached.h"
#include "mayfly/keeper/packet.h"
#include "mayfly/pool/messages.h"
#include "mayfly/pool/place.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

/// What the pool's command line calls the connection of the process that starts it.
constexpr int kSocketInPool = 10;
/// The pool answers within microseconds unless it gets no processor; who waits longer is better off without it.
constexpr Milliseconds kPatience{500};
/// Pools that end at once, for whatever reason, aren't started again and again.
constexpr int kMostStarts = 3;
constexpr Milliseconds kUntilPoolEnds{10'000};

bool readable(const UniqueFd& socket, Milliseconds within) {
  pollfd waiting{socket.get(), POLLIN, 0};
  const Deadline deadline = Deadline::after(within);
  int events = 0;
  while ((events = poll(&waiting, 1, deadline.poll_timeout())) < 0 && errno == EINTR) {
  }
  return events == 1;
}

}  // namespace

struct PoolClient::State {
  Paths paths;
  pid_t owner = getpid();
  std::mutex mutex;
  UniqueFd socket;                       ///< none: not connected
  std::shared_ptr<KeeperClient> keeper;  ///< the pool's, once it has said hello
  std::set<std::string> containers;      ///< that the pool holds for this process
  int starts = 0;
  bool given_up = false;

  void connect();
  /// @return whether the pool has said hello
  bool greeted(Milliseconds within);
  void disconnect();
  std::optional<PooledContainer> take(const PoolRequest& request);
  bool send(const ToPool& message) { return socket && send_packet(socket.get(), to_json(message)); }
};

void PoolClient::State::connect() {
  if (std::optional<UniqueFd> connected = connect_to_pool(paths)) {
    socket = *std::move(connected);
    (void)greeted(kPatience);
    return;
  }
  if (++starts > kMostStarts) {
    given_up = true;
    return;
  }
  // With a connection of its own, so that the pool knows what is wanted as soon as it is there.
  auto [ours, theirs] = make_packet_sockets();
  spawn_detached("mayfly-pool", {std::to_string(kSocketInPool), paths.runtime.string(), paths.store.string()},
                 {{theirs, kSocketInPool}});
  socket = std::move(ours);
}

bool PoolClient::State::greeted(Milliseconds within) {
  if (keeper) {
    return true;
  }
  if (!socket || !readable(socket, within)) {
    return false;
  }
  std::optional<Packet> packet = receive_packet(socket.get());
  if (!packet) {
    disconnect();
    return false;
  }
  const FromPool message = from_pool_from_json(packet->text);
  const auto* hello = std::get_if<from_pool::Hello>(&message);
  if (hello == nullptr || packet->attached.size() != 2 || hello->build != build_identity()) {
    log(LogLevel::debug, "pool: it is of another build of Mayfly, and isn't used");
    given_up = true;
    disconnect();
    return false;
  }
  keeper = std::make_shared<KeeperClient>(KeeperAttachment{.socket = std::move(packet->attached[0]),
                                                           .pidfd = std::move(packet->attached[1]),
                                                           .keeper = hello->keeper,
                                                           .session = hello->session});
  return true;
}

void PoolClient::State::disconnect() {
  socket.reset();
  keeper.reset();
  containers.clear();
}

std::optional<PooledContainer> PoolClient::State::take(const PoolRequest& request) {
  // One that this process has started, and that found another one to be there already, has ended.
  (void)greeted(Milliseconds(0));
  if (!socket && !given_up) {
    connect();
  }
  if (given_up || !socket) {
    return std::nullopt;
  }
  const bool hand_out = greeted(Milliseconds(0));
  if (!send(to_pool::Want{.request = request, .hand_out = hand_out})) {
    disconnect();
    return std::nullopt;
  }
  if (!hand_out) {
    return std::nullopt;
  }
  if (!readable(socket, kPatience)) {
    // Not disconnected: what it has handed out before is in use.
    given_up = true;
    log(LogLevel::debug, fmt::format("pool: no answer within {}", to_string(kPatience)));
    return std::nullopt;
  }
  std::optional<Packet> packet = receive_packet(socket.get());
  if (!packet) {
    disconnect();
    return std::nullopt;
  }
  const FromPool message = from_pool_from_json(packet->text);
  const auto* handed = std::get_if<from_pool::HandOut>(&message);
  if (handed == nullptr || packet->attached.size() != 1) {
    const auto* none = std::get_if<from_pool::NoneReady>(&message);
    log(LogLevel::debug, fmt::format("pool: {}", none == nullptr ? "unexpected answer" : none->why));
    return std::nullopt;
  }
  containers.insert(handed->name);
  try {
    Target target = Target::from_init(handed->init);
    // It lives, so the number was its own when it was looked up.
    if (!has_ended(packet->attached.front())) {
      return PooledContainer{.keeper = keeper,
                             .name = handed->name,
                             .address = handed->address,
                             .network_group = handed->network_group,
                             .target = std::move(target)};
    }
  } catch (const Error& error) {
    log(LogLevel::debug, fmt::format("pool: container '{}': {}", handed->name, error.what()));
  }
  keeper->destroy(handed->name);
  containers.erase(handed->name);
  (void)send(to_pool::Gone{handed->name});
  return std::nullopt;
}

PoolClient::PoolClient(Paths paths) : state_(std::make_unique<State>()) { state_->paths = std::move(paths); }
PoolClient::~PoolClient() { close(); }

std::optional<PooledContainer> PoolClient::take(const PoolRequest& request) noexcept {
  try {
    const std::lock_guard lock(state_->mutex);
    if (getpid() != state_->owner) {
      return std::nullopt;
    }
    return state_->take(request);
  } catch (const std::exception& error) {
    // Whatever it is, the caller can do without the pool.
    log(LogLevel::debug, fmt::format("pool: {}", error.what()));
    return std::nullopt;
  }
}

std::optional<std::string> PoolClient::adopt(const std::string& name) noexcept {
  try {
    const std::lock_guard lock(state_->mutex);
    std::string ours = fmt::format("{}-{}", name, getpid());
    if (!state_->keeper || !state_->send(to_pool::Mine{ours})) {
      return std::nullopt;
    }
    state_->containers.insert(ours);
    return ours;
  } catch (const std::exception& error) {
    log(LogLevel::debug, fmt::format("pool: {}", error.what()));
    return std::nullopt;
  }
}

void PoolClient::gone(const std::string& name) noexcept {
  try {
    const std::lock_guard lock(state_->mutex);
    if (state_->containers.erase(name) > 0) {
      (void)state_->send(to_pool::Gone{name});
    }
  } catch (const std::exception& error) {
    log(LogLevel::debug, fmt::format("pool: {}", error.what()));
  }
}

void PoolClient::close() noexcept {
  const std::lock_guard lock(state_->mutex);
  if (getpid() != state_->owner) {
    return;
  }
  for (const std::string& name : state_->containers) {
    try {
      state_->keeper->destroy(name);
    } catch (const std::exception& error) {
      log(LogLevel::error, fmt::format("destroy container '{}' (best effort): {}", name, error.what()));
    }
  }
  state_->disconnect();
  state_->given_up = true;
}

PoolEnd end_idle_pool(const Paths& paths) {
  const std::optional<UniqueFd> socket = connect_to_pool(paths);
  if (!socket) {
    return {};
  }
  const std::optional<pid_t> pool = trusted_peer(*socket);
  if (!pool) {
    return {};
  }
  const UniqueFd pidfd = open_pidfd(*pool);
  PoolEnd end{.pool = *pool};
  (void)send_packet(socket->get(), to_json(ToPool(to_pool::End{})));
  while (readable(*socket, kUntilPoolEnds)) {
    const std::optional<Packet> packet = receive_packet(socket->get());
    if (!packet) {
      break;
    }
    const FromPool message = from_pool_from_json(packet->text);
    if (const auto* ending = std::get_if<from_pool::Ending>(&message)) {
      end.ended = ending->ends;
      end.users = ending->users;
      end.containers = ending->containers;
      break;
    }
  }
  if (end.ended) {
    pollfd ended{pidfd.get(), POLLIN, 0};
    while (poll(&ended, 1, static_cast<int>(kUntilPoolEnds.count())) < 0 && errno == EINTR) {
    }
  }
  return end;
}

}  // namespace mayfly
