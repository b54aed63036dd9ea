#include "mayfly/exec/exec_cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "mayfly/exec/target_state.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

std::string read_small(int directory, const char* name) {
  const UniqueFd file(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  std::array<char, 256> buffer{};
  const ssize_t size = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

/// A killed process counts for a moment after its parent has reaped it.
void wait_until_empty(int directory) noexcept {
  const Deadline deadline = Deadline::after(Milliseconds(500));
  const UniqueFd events(::openat(directory, "cgroup.events", O_RDONLY | O_CLOEXEC));
  while (events && !deadline.passed()) {
    std::array<char, 256> buffer{};
    const ssize_t size = ::pread(events.get(), buffer.data(), buffer.size() - 1, 0);
    if (size <= 0 || std::string_view(buffer.data()).find("populated 0") != std::string_view::npos) {
      return;
    }
    // kernfs reports a change as POLLPRI (cgroups(7)).
    pollfd change{.fd = events.get(), .events = POLLPRI, .revents = 0};
    ::poll(&change, 1, deadline.poll_timeout());
  }
}

bool remove_leaf(int parent, const std::string& name) {
  return ::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENODEV;
}

void remove_earlier(const Target::State& state) {
  const std::lock_guard lock(state.mutex);
  std::erase_if(state.busy_leaves, [&](const std::string& name) { return remove_leaf(state.cgroup.get(), name); });
}

}  // namespace

ExecCgroup::ExecCgroup(const Target& target) : target_(target) {
  const Target::State& state = target.state();
  if (!state.cgroup) {
    return;
  }
  remove_earlier(state);
  int result = -1;
  do {
    name_ = fmt::format(".mayfly-{}-{}", ::getpid(), state.next_leaf++);
    result = ::mkdirat(state.cgroup.get(), name_.c_str(), 0755);
    // Another Target of this process for the same container has taken that number.
  } while (result != 0 && errno == EEXIST);
  if (result == 0) {
    directory_ = UniqueFd(::openat(state.cgroup.get(), name_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  if (!directory_) {
    SystemError error("make a cgroup for a command in the container");
    constexpr int kDyingMs = 100;
    if (state.dies_within(kDyingMs)) {
      throw_stopped();
    }
    throw error;
  }
}

ExecCgroup::~ExecCgroup() {
  const Target::State& state = target_.state();
  if (!directory_ || remove_leaf(state.cgroup.get(), name_)) {
    return;
  }
  if (read_small(directory_.get(), "cgroup.procs").empty()) {
    wait_until_empty(directory_.get());
    if (remove_leaf(state.cgroup.get(), name_)) {
      return;
    }
  }
  const std::lock_guard lock(state.mutex);
  state.busy_leaves.push_back(std::move(name_));
}

void ExecCgroup::kill_all() const noexcept {
  const UniqueFd file(::openat(fd(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  if (file) {
    static_cast<void>(!::write(file.get(), "1", 1));
  }
}

void ExecCgroup::kill(ContainerProcess& process) const noexcept {
  kill_all();
  process.end();
  if (directory_) {
    wait_until_empty(directory_.get());
  }
}

}  // namespace mayfly
