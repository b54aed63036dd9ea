#include "mayfly/keeper/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "mayfly/container/init_status.h"
#include "mayfly/container/seccomp.h"
#include "mayfly/image/key_lock.h"
#include "mayfly/keeper/answer.h"
#include "mayfly/keeper/packet.h"
#include "mayfly/keeper/purge.h"
#include "mayfly/network/name_files.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/owned_temp_dir.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

/// How often a starting container is looked at. No event tells that a grandchild has executed its program.
constexpr timespec kStartTick{0, 250'000};
/// The same for one whose init tells by itself, for the case that it can't.
constexpr timespec kStartTickWithEvent{0, 5'000'000};
/// So many may wait to be removed until there is nothing else to do.
constexpr std::size_t kMostEndedMachines = 8;
/// How often a machine that is about to end is looked at.
constexpr Milliseconds kEndTick{2};
/// liblxc undoes its own part once init has ended (4 ms), and only then is init's status known.
constexpr Milliseconds kUntilMonitorEnds{2'000};
/// An init whose children have been inherited by a process 1 that doesn't reap stays undead.
constexpr Milliseconds kUntilInitEnds{3'000};

std::string new_session_id() {
  std::uint32_t random = 0;
  if (getrandom(&random, sizeof random, 0) != sizeof random) {
    throw SystemError("get random bytes");
  }
  // The pid leads: it tells whether the maker of an unfinished session directory lives.
  return fmt::format("{}-{:08x}", getpid(), random);
}

Paths as_seen_by_keeper(const Paths& paths) {
  return {.runtime = PrivateMounts::host_path(paths.runtime), .store = PrivateMounts::host_path(paths.store)};
}

pid_t peer_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : -1;
}

std::string command_line(pid_t pid) {
  std::string line = read_file_if_exists(fmt::format("/proc/{}/cmdline", pid)).value_or("");
  while (!line.empty() && line.back() == '\0') {
    line.pop_back();
  }
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

}  // namespace

Server::Server(int socket, UniqueFd owner, const Paths& paths)
    : socket_(socket),
      owner_(std::move(owner)),
      host_mounts_(open_file("/proc/self/ns/mnt", O_RDONLY)),
      paths_(as_seen_by_keeper(paths)),
      mounts_(PrivateMounts::enter()),
      cgroups_(Cgroups::of_host()) {
  const std::filesystem::path init_program = find_shipped("mayfly-init");
  mounts_.hide_cgroups();
  purge_dead_sessions(paths_, {cgroups_, PrivateMounts::host_path});
  filter_ = make_seccomp_filter();
  const std::string id = new_session_id();
  disk_ = paths.staging() / ("writable." + id);
  const std::filesystem::path lxc_path = PrivateMounts::containers() / ("." + id);
  std::filesystem::create_directory(lxc_path);
  std::error_code unknown;
  surroundings_ = std::make_unique<MachineSurroundings>(
      MachineSurroundings{.cgroups = cgroups_,
                          .session = id,
                          .init_program = PrivateMounts::host_path(init_program),
                          .lxc_path = lxc_path,
                          .disk = PrivateMounts::host_path(disk_),
                          .filter = filter_,
                          .id_map = {.host_base = 0x2000'0000 + static_cast<std::uint32_t>(getpid() % 16'384) * 65'536},
                          .apparmor = std::filesystem::exists("/sys/module/apparmor/parameters/enabled", unknown)});
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, nullptr);
  child_signals_.reset(signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_signals_) {
    throw SystemError("make a signalfd");
  }
  directory_ = std::make_unique<SessionDirectory>(paths_, id);
  try {
    const pid_t owner_pid = peer_of(socket_);
    directory_->write_owner(owner_pid, command_line(owner_pid));
  } catch (...) {
    directory_->remove();
    throw;
  }
  answer(socket_, reply::Hello{.session = id, .keeper = getpid()});
}

Server::~Server() = default;

bool Server::run() {
  while (!ended_) {
    wait_and_handle();
  }
  undo_everything();
  if (closing_) {
    if (failures_.empty()) {
      answer(*closing_, reply::Done{});
    } else {
      std::string all;
      for (const std::string& failure : failures_) {
        all += (all.empty() ? "" : "; ") + failure;
      }
      answer(*closing_, reply::Failure{.message = "the session could not be undone: " + all});
    }
  }
  return failures_.empty();
}

void Server::wait_and_handle() {
  std::vector<pollfd> waiting{{socket_, POLLIN, 0}, {owner_.get(), POLLIN, 0}, {child_signals_.get(), POLLIN, 0}};
  std::vector<std::string> names;
  std::vector<pollfd> started;
  bool starting = false;
  timespec wait = kStartTickWithEvent;
  std::optional<Milliseconds> timeout;
  for (const auto& [name, entry] : entries_) {
    const Machine::Phase phase = entry.machine->phase();
    if (phase == Machine::Phase::starting) {
      starting = true;
      started.push_back({entry.machine->started_fd(), POLLIN, 0});
      wait = entry.machine->started_fd() < 0 ? kStartTick : wait;
    }
    if (phase == Machine::Phase::running || phase == Machine::Phase::stopping) {
      waiting.push_back({entry.machine->init_pidfd(), POLLIN, 0});
      names.push_back(name);
    }
    if (entry.ask_by || phase == Machine::Phase::dying) {
      timeout = std::min(timeout.value_or(Milliseconds::max()), kEndTick);
    }
    if (entry.deadline) {
      timeout = std::min(timeout.value_or(Milliseconds::max()), entry.deadline->left());
    }
  }
  // Only to wake up: all that are starting are looked at then.
  waiting.insert(waiting.end(), started.begin(), started.end());
  if (timeout && (!starting || timeout->count() * 1'000'000 < wait.tv_nsec)) {
    wait = {timeout->count() / 1'000, timeout->count() % 1'000 * 1'000'000};
  }
  if (!ended_machines_.empty()) {
    wait = {};
  }
  const int events =
      ppoll(waiting.data(), waiting.size(), starting || timeout || !ended_machines_.empty() ? &wait : nullptr, nullptr);
  if (events < 0 && errno != EINTR) {
    throw SystemError("wait for events");
  }
  if (waiting[1].revents != 0) {
    ended_ = true;
    return;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto at = entries_.find(names[i]); waiting[i + 3].revents != 0 && at != entries_.end()) {
      init_ended(at->second);
    }
  }
  if (waiting[2].revents != 0) {
    handle_children();
  }
  if (waiting[0].revents != 0) {
    handle_socket();
  }
  for (auto& [name, entry] : entries_) {
    if (entry.machine->phase() == Machine::Phase::starting) {
      advance_starting(entry);
    }
    ask_to_shut_down(entry);
    if (entry.machine->phase() == Machine::Phase::dying) {
      entry.machine->look_for_init();
    }
    if (entry.deadline && entry.deadline->passed()) {
      deadline_passed(entry);
    }
  }
  if (events == 0 || ended_machines_.size() > kMostEndedMachines) {
    remove_next_ended();
  }
}

void Server::handle_socket() {
  std::optional<Packet> packet = receive_packet(socket_);
  if (!packet) {
    // Nobody holds the other end any more; the test process has closed without asking.
    ended_ = true;
    return;
  }
  UniqueFd reply = packet->attached.empty() ? UniqueFd() : std::move(packet->attached.front());
  try {
    Request request = request_from_json(packet->text);
    std::visit([&](auto& wanted) { handle(wanted, reply); }, request);
  } catch (const std::exception& error) {
    answer(reply, failure_from(error));
  }
}

void Server::advance_starting(Entry& entry) {
  Machine& machine = *entry.machine;
  machine.look_for_init();
  if (machine.phase() != Machine::Phase::running) {
    return;
  }
  entry.deadline.reset();
  directory_->write_container({.name = machine.spec().name,
                               .profile = machine.spec().profile,
                               .address = machine.address(),
                               .init_pid = machine.init(),
                               .started_at = std::time(nullptr)});
  answer(*entry.start, reply::Started{.init = machine.init(), .address = machine.address()});
  entry.start.reset();
}

void Server::ask_to_shut_down(Entry& entry) {
  if (entry.ask_by && (entry.ask_by->passed() || entry.machine->listens())) {
    entry.machine->ask_to_shut_down();
    entry.ask_by.reset();
  }
}

void Server::init_ended(Entry& entry) {
  entry.ask_by.reset();
  entry.machine->init_ended();
  entry.shutting_down = false;
  entry.deadline = Deadline::after(kUntilMonitorEnds);
}

void Server::stop(Entry& entry) {
  entry.ask_by.reset();
  entry.machine->kill();
  entry.shutting_down = false;
  entry.deadline = Deadline::after(kUntilInitEnds);
}

void Server::deadline_passed(Entry& entry) {
  const Machine::Phase phase = entry.machine->phase();
  if (entry.shutting_down) {
    for (Pending& pending : entry.removal) {
      pending.went_down = pending.went_down ? std::optional(false) : std::nullopt;
    }
    stop(entry);
  } else if (phase == Machine::Phase::starting) {
    stop(entry);
  } else {
    // Init is undead, or liblxc is stuck: what hangs mustn't hang us.
    entry.machine->kill_monitor();
    entry.deadline.reset();
  }
}

void Server::handle_children() {
  signalfd_siginfo ignored;
  while (read(child_signals_.get(), &ignored, sizeof ignored) > 0) {
  }
  // All before the first is answered for: a monitor's child that it had not reaped is this process's now, as their
  // subreaper, and has to be gone when its container is said to be.
  std::vector<pid_t> ended;
  for (pid_t child = 0; (child = waitpid(-1, nullptr, WNOHANG)) > 0;) {
    ended.push_back(child);
  }
  for (const pid_t child : ended) {
    const auto at = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const auto& named) { return named.second.machine->monitor() == child; });
    if (at != entries_.end()) {
      monitor_ended(at);
    }
  }
}

void Server::monitor_ended(Entries::iterator at) {
  Entry& entry = at->second;
  entry.machine->monitor_ended();
  entry.deadline.reset();
  for (const UniqueFd& question : entry.exit_questions) {
    answer(question, reply::Exit{entry.machine->exit()});
  }
  entry.exit_questions.clear();
  if (entry.start && entry.machine->phase() == Machine::Phase::exited) {
    // Init was faster than the look for it. It is kept for the question why.
    answer(*entry.start, reply::Started{.init = -1, .address = entry.machine->address()});
    entry.start.reset();
  } else if (entry.start) {
    fail_start(entry);
    finish(at);
  } else if (!entry.removal.empty()) {
    finish(at);
  }
}

void Server::fail_start(Entry& entry) {
  ContainerExit exit = entry.machine->exit();
  if (exit.reason.empty()) {
    exit.reason = "liblxc did not start it in time";
  }
  answer(*entry.start, reply::Failure{.kind = reply::Failure::Kind::lxc, .message = describe(exit)});
  entry.start.reset();
}

void Server::finish(Entries::iterator at) {
  // Out of the map first: a name is free again as soon as its end is answered.
  const auto node = entries_.extract(at);
  Entry& entry = node.mapped();
  directory_->remove_container(node.key());
  const std::string group = entry.machine->spec().network_group;
  const std::string address = entry.machine->address();
  std::optional<reply::Failure> failure;
  if (entry.machine->can_be_removed_later() && !ended_) {
    ended_machines_.push_back(std::move(entry.machine));
  } else {
    failure = remove(*entry.machine);
  }
  leave_network(group, address);
  for (const Pending& pending : entry.removal) {
    if (failure) {
      answer(pending.socket, *failure);
    } else if (pending.went_down) {
      answer(pending.socket, reply::WentDown{.by_itself = *pending.went_down});
    } else {
      answer(pending.socket, reply::Done{});
    }
  }
}

std::optional<reply::Failure> Server::remove(Machine& machine) {
  try {
    machine.remove();
    return std::nullopt;
  } catch (const std::exception& error) {
    failures_.emplace_back(error.what());
    return failure_from(error);
  }
}

void Server::remove_next_ended() {
  if (!ended_machines_.empty()) {
    remove(*ended_machines_.front());
    ended_machines_.pop_front();
  }
}

void Server::remove_ended(const std::string& name) {
  const auto same = std::find_if(ended_machines_.begin(), ended_machines_.end(),
                                 [&](const auto& machine) { return machine->spec().name == name; });
  if (same != ended_machines_.end()) {
    remove(**same);
    ended_machines_.erase(same);
  }
}

void Server::undo_everything() {
  cgroups_.kill(cgroup_name(directory_->id()));
  while (!ended_machines_.empty()) {
    remove_next_ended();
  }
  for (const auto& [name, entry] : entries_) {
    entry.machine->kill();
    entry.machine->kill_monitor();
  }
  const Deadline deadline = Deadline::after(kUntilInitEnds);
  while (!entries_.empty() && !deadline.passed()) {
    handle_children();
    for (auto at = entries_.begin(); at != entries_.end();) {
      const auto next = std::next(at);
      if (at->second.machine->monitor() < 0) {
        finish(at);
      }
      at = next;
    }
    if (!entries_.empty()) {
      pollfd child{child_signals_.get(), POLLIN, 0};
      poll(&child, 1, deadline.poll_timeout());
    }
  }
  for (auto at = entries_.begin(); at != entries_.end(); at = entries_.begin()) {
    failures_.push_back(fmt::format("the monitor of container '{}' can't be killed", at->first));
    finish(at);
  }
  networks_.clear();
  const UndoReport report = undo_session({cgroups_, PrivateMounts::host_path}, directory_->path(), directory_->id());
  failures_.insert(failures_.end(), report.failed.begin(), report.failed.end());
  if (!closing_) {
    remove_stale_locks(paths_.locks());
  }
  // Of this session's owner, too, if it has been killed.
  remove_abandoned_temp_dirs(paths_, PrivateMounts::host_path);
  if (report.failed.empty()) {
    try {
      directory_->remove();
    } catch (const Error& error) {
      failures_.emplace_back(error.what());
    }
  }
}

}  // namespace mayfly
