#include "mayfly/pool/pool.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "mayfly/exec/readiness.h"
#include "mayfly/exec/target.h"
#include "mayfly/keeper/detached.h"
#include "mayfly/keeper/packet.h"
#include "mayfly/support/error.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

/// How often it looks whether something that was held back can go on, or isn't wanted any more.
constexpr Milliseconds kTick{500};
/// A user that doesn't read its answers.
constexpr timeval kSendTimeout{0, 200'000};

unsigned processors() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace

Pool::Pool(const Paths& paths, UniqueFd first_user, Milliseconds linger)
    : paths_(paths),
      linger_(linger),
      keeper_(paths),
      attachment_(keeper_.attachment()),
      listening_(listen_in_session(paths, keeper_.session_id())),
      outcome_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      last_use_(PoolDemand::Time::clock::now()),
      processors_(processors()) {
  if (!outcome_event_) {
    throw SystemError("make an eventfd");
  }
  add_user(std::move(first_user));
}

Pool::~Pool() { end(); }

void Pool::run(const PoolElection& election) {
  // The keeper's session keeps the directory in place from here on.
  if (!election.holds(paths_)) {
    return;
  }
  while (!ending_) {
    wait_and_handle();
    dismiss_users();
    forget_unwanted();
    refill();
    const Time now = Time::clock::now();
    if (!users_.empty()) {
      last_use_ = now;
    }
    ending_ = ending_ || now - last_use_ >= linger_;
  }
  end();
}

int Pool::timeout() const {
  if (!stocks_.empty()) {
    return static_cast<int>(kTick.count());
  }
  if (!users_.empty()) {
    return -1;
  }
  const auto left = std::chrono::ceil<Milliseconds>(last_use_ + linger_ - Time::clock::now());
  return static_cast<int>(std::max(left, Milliseconds(0)).count());
}

void Pool::wait_and_handle() {
  std::vector<pollfd> waiting{
      {listening_.get(), POLLIN, 0}, {outcome_event_.get(), POLLIN, 0}, {attachment_.pidfd.get(), POLLIN, 0}};
  for (const User& user : users_) {
    waiting.push_back({user.socket.get(), POLLIN, 0});
    waiting.push_back({user.pidfd.get(), POLLIN, 0});
  }
  if (poll(waiting.data(), waiting.size(), timeout()) < 0 && errno != EINTR) {
    throw SystemError("wait for events");
  }
  if (waiting[2].revents != 0) {
    // It was killed, and its containers with it. What they had is left to those who look for dead sessions.
    ending_ = true;
    (void)purge_dead_sessions(paths_);
    return;
  }
  std::size_t at = 3;
  for (User& user : users_) {
    // What it has sent before it ended is still to be read: nothing that it has handed back is lost.
    if (waiting[at].revents != 0) {
      handle(user);
    }
    user.left = user.left || waiting[at + 1].revents != 0;
    at += 2;
  }
  if (waiting[1].revents != 0) {
    collect_outcomes();
  }
  if (waiting[0].revents != 0) {
    accept_users();
  }
}

void Pool::accept_users() {
  for (;;) {
    UniqueFd socket(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) {
      return;
    }
    add_user(std::move(socket));
  }
}

void Pool::add_user(UniqueFd socket) {
  const std::optional<pid_t> pid = trusted_peer(socket);
  if (!pid) {
    return;
  }
  try {
    User user{.socket = std::move(socket), .pidfd = open_pidfd(*pid)};
    setsockopt(user.socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout, sizeof kSendTimeout);
    answer(
        user,
        from_pool::Hello{
            .pool = getpid(), .keeper = attachment_.keeper, .session = attachment_.session, .build = build_identity()},
        {attachment_.socket.get(), attachment_.pidfd.get()});
    users_.push_back(std::move(user));
  } catch (const Error& error) {
    log(LogLevel::debug, fmt::format("pool: process {} has gone already: {}", *pid, error.what()));
  }
}

void Pool::answer(User& user, const FromPool& message, std::initializer_list<int> attach) const {
  try {
    user.left = user.left || !send_packet(user.socket.get(), to_json(message), attach);
  } catch (const Error& error) {
    log(LogLevel::debug, fmt::format("pool: {}", error.what()));
    user.left = true;
  }
}

void Pool::handle(User& user) {
  try {
    const std::optional<Packet> packet = receive_packet(user.socket.get());
    if (!packet) {
      user.left = true;
      return;
    }
    const ToPool received = to_pool_from_json(packet->text);
    std::visit([&](const auto& message) { handle(user, message); }, received);
  } catch (const std::exception& error) {
    log(LogLevel::debug, fmt::format("pool: {}", error.what()));
    user.left = true;
  }
}

void Pool::handle(User& user, const to_pool::Want& message) {
  const std::string key = pool_key(message.request);
  const auto [at, is_new] = stocks_.try_emplace(key, next_stock_, message.request);
  next_stock_ += is_new ? 1 : 0;
  Stock& stock = at->second;
  std::optional<WarmContainer> ready = message.hand_out ? take(stock) : std::nullopt;
  stock.demand.asked(Time::clock::now(), ready.has_value(), stock.in_use);
  if (!message.hand_out) {
    return;
  }
  if (!ready) {
    answer(user,
           from_pool::NoneReady{stock.last_failure.empty() ? fmt::format("none ready, {} on the way", stock.starting)
                                                           : fmt::format("none ready: {}", stock.last_failure)});
    return;
  }
  // Before it is sent: whatever becomes of the user, the container goes with it.
  user.containers.emplace(ready->name, key);
  ++stock.in_use;
  answer(
      user,
      from_pool::HandOut{
          .name = ready->name, .address = ready->address, .network_group = ready->network_group, .init = ready->init},
      {ready->pidfd.get()});
}

void Pool::handle(User& user, const to_pool::Mine& message) { user.containers.emplace(message.name, ""); }

void Pool::handle(User& user, const to_pool::Gone& message) {
  if (const auto at = user.containers.find(message.name); at != user.containers.end()) {
    stop_using(at->second);
    user.containers.erase(at);
  }
}

void Pool::handle(User& user, const to_pool::End&) {
  from_pool::Ending ending{.users = static_cast<unsigned>(users_.size() - 1)};
  for (const auto& [key, stock] : stocks_) {
    ending.containers += static_cast<unsigned>(stock.ready.size());
  }
  ending.ends = ending.users == 0;
  answer(user, ending);
  ending_ = ending_ || ending.ends;
}

std::optional<WarmContainer> Pool::take(Stock& stock) {
  if (!stock.layers.unchanged()) {
    return std::nullopt;  // forget_unwanted() clears it away
  }
  while (!stock.ready.empty()) {
    WarmContainer container = std::move(stock.ready.front());
    stock.ready.pop_front();
    if (!has_ended(container.pidfd)) {
      return container;
    }
    destroy(container.name);
  }
  return std::nullopt;
}

void Pool::stop_using(const std::string& key) {
  if (const auto at = stocks_.find(key); at != stocks_.end() && at->second.in_use > 0) {
    --at->second.in_use;
  }
}

void Pool::dismiss_users() {
  for (auto user = users_.begin(); user != users_.end();) {
    if (!user->left) {
      ++user;
      continue;
    }
    for (const auto& [name, key] : user->containers) {
      stop_using(key);
      destroy(name);
    }
    user = users_.erase(user);
  }
}

void Pool::collect_outcomes() {
  eventfd_t ignored = 0;
  (void)eventfd_read(outcome_event_.get(), &ignored);
  std::vector<Outcome> outcomes;
  {
    const std::lock_guard lock(outcomes_mutex_);
    outcomes.swap(outcomes_);
  }
  for (Outcome& outcome : outcomes) {
    const auto at = stocks_.find(outcome.key);
    if (at != stocks_.end() && at->second.number == outcome.stock) {
      Stock& stock = at->second;
      --stock.starting;
      stock.last_failure = outcome.failure;
      if (outcome.container) {
        stock.demand.became_ready();
        stock.ready.push_back(*std::move(outcome.container));
      } else {
        log(LogLevel::debug, fmt::format("pool: {}", outcome.failure));
        stock.demand.failed(Time::clock::now());
      }
    } else if (outcome.container) {
      destroy(outcome.container->name);
    }
  }
  jobs_.join_done();
}

void Pool::forget_unwanted() {
  const Time now = Time::clock::now();
  for (auto at = stocks_.begin(); at != stocks_.end();) {
    Stock& stock = at->second;
    const bool wanted = !stock.demand.forgotten(now) && stock.layers.unchanged();
    for (auto container = stock.ready.begin(); container != stock.ready.end();) {
      if (wanted && !has_ended(container->pidfd)) {
        ++container;
      } else {
        destroy(container->name);
        container = stock.ready.erase(container);
      }
    }
    // What is on its way finds no stock then, and is destroyed.
    at = wanted ? std::next(at) : stocks_.erase(at);
  }
}

void Pool::refill() {
  unsigned starting = 0;
  bool wanting = false;
  const Time now = Time::clock::now();
  for (const auto& [key, stock] : stocks_) {
    starting += stock.starting;
    wanting = wanting || stock.ready.size() + stock.starting < stock.demand.stock(Headroom::enough, processors_, now);
  }
  if (!wanting || ending_) {
    return;
  }
  const Headroom left = headroom(host_load());
  for (auto& [key, stock] : stocks_) {
    const unsigned wanted = stock.demand.stock(left, processors_, now);
    while (stock.ready.size() + stock.starting < wanted && starting < processors_) {
      start_one(key, stock);
      ++starting;
    }
  }
}

void Pool::start_one(const std::string& key, Stock& stock) {
  ++stock.starting;
  const std::string name = fmt::format("{}-pool-{}", stock.request.spec.name, next_container_++);
  const auto finish = [this, key, number = stock.number](Outcome outcome) {
    outcome.key = key;
    outcome.stock = number;
    const std::lock_guard lock(outcomes_mutex_);
    outcomes_.push_back(std::move(outcome));
    (void)eventfd_write(outcome_event_.get(), 1);
  };
  try {
    jobs_.start([this, finish, request = stock.request, name] { finish(start_container(request, name)); });
  } catch (const std::exception& error) {
    finish({.failure = error.what()});
  }
}

Pool::Outcome Pool::start_container(const PoolRequest& request, const std::string& name) {
  try {
    ContainerSpec spec = request.spec;
    spec.name = name;
    if (spec.network == Network::nat) {
      // Who will use it isn't known yet, and must find no others on its network.
      spec.network_group = name;
    }
    const StartedContainer started = keeper_.start(spec);
    const auto why = [&] { return keeper_.exit_of(name); };
    try {
      if (started.init_pid < 0) {
        throw died_before_ready(why());
      }
      const Target target = Target::from_init(started.init_pid);
      wait_until_ready(target, request.ready, request.within, why, [](std::string_view) {});
      UniqueFd pidfd = open_pidfd(started.init_pid);
      if (target.dead()) {
        throw died_before_ready(why());
      }
      return {.container = WarmContainer{.name = name,
                                         .address = started.address,
                                         .network_group = spec.network_group,
                                         .init = started.init_pid,
                                         .pidfd = std::move(pidfd)}};
    } catch (...) {
      keeper_.destroy(name);
      throw;
    }
  } catch (const std::exception& error) {
    return {.failure = fmt::format("start '{}': {}", name, error.what())};
  }
}

void Pool::destroy(const std::string& name) {
  const auto work = [this, name] {
    try {
      keeper_.destroy(name);
    } catch (const std::exception& error) {
      log(LogLevel::debug, fmt::format("pool: destroy '{}': {}", name, error.what()));
    }
  };
  try {
    jobs_.start(work);
  } catch (const std::exception&) {
    work();
  }
}

void Pool::end() noexcept {
  try {
    stop_listening(paths_, keeper_.session_id());
    listening_.reset();
    users_.clear();
    // What is on its way fails, so that nothing has to be waited for.
    keeper_.close();
  } catch (const std::exception& error) {
    log(LogLevel::debug, fmt::format("pool: {}", error.what()));
  }
}

}  // namespace mayfly
