#include "mayfly/keeper/client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <utility>

#include "mayfly/keeper/detached.h"
#include "mayfly/keeper/packet.h"
#include "mayfly/keeper/privileges.h"
#include "mayfly/keeper/protocol.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

// What the keeper's command line calls its two descriptors.
constexpr int kSocketInKeeper = 10;
constexpr int kOwnerInKeeper = 11;

}  // namespace

struct KeeperClient::State {
  pid_t owner = getpid();
  bool attached = false;  ///< to a keeper of another process
  UniqueFd socket;
  UniqueFd keeper_pidfd;
  pid_t keeper = -1;
  std::string session;
  std::mutex closing;
  std::mutex leases_mutex;
  std::map<std::filesystem::path, UniqueFd> leases;  ///< on entries of the store that this session uses
  std::atomic<bool> closed{false};                   ///< or about to be

  Reply ask(const Request& request);
  void expect_done(const Request& request);
};

Reply KeeperClient::State::ask(const Request& request) {
  if (getpid() != owner) {
    throw Error("a keeper serves the process that started it or was given it, not a fork of that");
  }
  auto [ours, theirs] = make_packet_sockets();
  const bool sent = send_packet(socket.get(), to_json(request), {theirs.get()});
  theirs.reset();
  // The pidfd as well: another thread's fork may hold a copy of the other end.
  pollfd waiting[] = {{ours.get(), POLLIN, 0}, {keeper_pidfd.get(), POLLIN, 0}};
  while (sent && poll(waiting, 2, -1) < 0 && errno == EINTR) {
  }
  if (sent && waiting[0].revents != 0) {
    if (const std::optional<Packet> packet = receive_packet(ours.get())) {
      Reply reply = reply_from_json(packet->text);
      if (const auto* failure = std::get_if<reply::Failure>(&reply)) {
        throw_failure(*failure);
      }
      return reply;
    }
  }
  // Only to the request that closes it can the keeper's end come unexpected then.
  if (closed && !std::holds_alternative<request::Close>(request)) {
    throw Error(fmt::format("session '{}' has been closed, and all containers with it", session));
  }
  Error error(fmt::format("the keeper (process {}) of session '{}' has ended unexpectedly, and all containers with it",
                          keeper, session));
  error.set_hint("the next session cleans up; 'mayfly gc' does so at once");
  throw error;
}

void KeeperClient::State::expect_done(const Request& request) { (void)std::get<reply::Done>(ask(request)); }

KeeperClient::KeeperClient(const Paths& paths) : state_(std::make_shared<State>()) {
  require_privileges();
  auto [ours, theirs] = make_packet_sockets();
  spawn_detached(
      "mayfly-keeper",
      {std::to_string(kSocketInKeeper), std::to_string(kOwnerInKeeper), paths.runtime.string(), paths.store.string()},
      {{theirs, kSocketInKeeper}, {open_pidfd(getpid()), kOwnerInKeeper}});
  theirs.reset();
  const std::optional<Packet> packet = receive_packet(ours.get());
  if (!packet) {
    Error error("mayfly-keeper ended before it was ready; what it printed is on standard error");
    error.set_hint("'mayfly doctor' tries each part that it needs");
    throw error;
  }
  const Reply reply = reply_from_json(packet->text);
  if (const auto* failure = std::get_if<reply::Failure>(&reply)) {
    throw_failure(*failure);
  }
  const auto& hello = std::get<reply::Hello>(reply);
  state_->socket = std::move(ours);
  state_->keeper = hello.keeper;
  state_->keeper_pidfd = open_pidfd(hello.keeper);
  state_->session = hello.session;
}

KeeperClient::KeeperClient(KeeperAttachment attachment) : state_(std::make_shared<State>()) {
  state_->attached = true;
  state_->socket = std::move(attachment.socket);
  state_->keeper = attachment.keeper;
  state_->keeper_pidfd = std::move(attachment.pidfd);
  state_->session = std::move(attachment.session);
}

KeeperClient::~KeeperClient() {
  try {
    close();
  } catch (const std::exception& error) {
    log(LogLevel::error, fmt::format("end session '{}' (best effort): {}", state_->session, error.what()));
  }
}

const std::string& KeeperClient::session_id() const noexcept { return state_->session; }

KeeperAttachment KeeperClient::attachment() const {
  const auto duplicate = [](const UniqueFd& fd) {
    UniqueFd copy(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) {
      throw SystemError("duplicate a descriptor");
    }
    return copy;
  };
  return {.socket = duplicate(state_->socket),
          .pidfd = duplicate(state_->keeper_pidfd),
          .keeper = state_->keeper,
          .session = state_->session};
}

StartedContainer KeeperClient::start(const ContainerSpec& spec) {
  const auto started = std::get<reply::Started>(state_->ask(request::Start{spec}));
  return {.init_pid = started.init, .address = started.address};
}

void KeeperClient::destroy(const std::string& name) {
  try {
    state_->expect_done(request::Destroy{name});
  } catch (const Error&) {
    // The session's end, on another thread perhaps, removes it too. A keeper that was killed has taken it along; that
    // is for close() to report.
    if (!state_->closed && !has_ended(state_->keeper_pidfd)) {
      throw;
    }
  }
}

bool KeeperClient::shut_down(const std::string& name, Milliseconds within) {
  return std::get<reply::WentDown>(state_->ask(request::ShutDown{name, within})).by_itself;
}

ContainerExit KeeperClient::exit_of(const std::string& name) {
  return std::get<reply::Exit>(state_->ask(request::ExitOf{name})).exit;
}

void KeeperClient::save_logs(const std::string& name, const std::filesystem::path& directory) {
  const auto logs = std::get<reply::LogPaths>(state_->ask(request::Logs{name}));
  // The logs lie on the keeper's private /run.
  const std::filesystem::path keepers_root = fmt::format("/proc/{}/root", state_->keeper);
  for (const auto& [log, name_here] : {std::pair{logs.console, "console.log"}, std::pair{logs.lxc, "lxc.log"}}) {
    if (!log.empty()) {
      if (const auto content = read_file_if_exists(keepers_root / log.relative_path()); content && !content->empty()) {
        write_file(directory / name_here, *content);
      }
    }
  }
}

std::shared_ptr<const RootView> KeeperClient::root_view(const std::string& name) {
  const auto paths = std::get<reply::RootPaths>(state_->ask(request::RootView{name}));
  const std::filesystem::path keepers_root = fmt::format("/proc/{}/root", state_->keeper);
  const auto open = [&](const std::filesystem::path& path) {
    return open_file(keepers_root / path.relative_path(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  };
  RootView view{.merged = open(paths.merged), .lower = open(paths.lower), .upper = open(paths.upper)};
  view.id_map = paths.id_map;
  return std::make_shared<const RootView>(std::move(view));
}

BuildScope KeeperClient::build_scope() {
  // Shared by the copies of the scope and closed with the last.
  const auto procs = std::make_shared<UniqueFd>(
      open_file(std::get<reply::BuildCgroup>(state_->ask(request::BuildCgroup{})).procs, O_WRONLY));
  BuildScope scope{.cgroup_procs = {procs->get()}};
  scope.own = [state = state_, procs](const std::filesystem::path& path) { state->expect_done(request::Own{path}); };
  scope.disown = [state = state_](const std::filesystem::path& path) {
    try {
      state->expect_done(request::Disown{path});
    } catch (const Error&) {
      // The session's end, on another thread perhaps, has removed all that was its own.
      if (!state->closed) throw;
    }
  };
  scope.hold = [state = state_](const std::filesystem::path& entry, UniqueFd lease) {
    const std::lock_guard lock(state->leases_mutex);
    state->leases.insert_or_assign(entry, std::move(lease));
  };
  return scope;
}

void KeeperClient::close() {
  const std::lock_guard lock(state_->closing);
  // Also when this fails: there is nobody to be asked a second time.
  if (state_->closed.exchange(true) || getpid() != state_->owner || state_->attached) {
    return;
  }
  state_->expect_done(request::Close{});
  pollfd ended{state_->keeper_pidfd.get(), POLLIN, 0};
  while (poll(&ended, 1, -1) < 0 && errno == EINTR) {
  }
  const std::lock_guard leases_lock(state_->leases_mutex);
  state_->leases.clear();
}

}  // namespace mayfly
