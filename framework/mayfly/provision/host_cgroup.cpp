#include "mayfly/provision/host_cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "mayfly/exec/proc_text.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/paths.h"

namespace mayfly {

std::optional<std::string> container_cgroup(std::string_view cgroup) {
  constexpr std::string_view kRoot = "/mayfly/";
  const std::size_t root = cgroup.find(kRoot);
  if (root == std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t container = cgroup.find('/', root + kRoot.size());
  if (container == std::string_view::npos || container + 1 == cgroup.size()) {
    return std::nullopt;
  }
  return std::string(cgroup.substr(0, cgroup.find('/', container + 1)));
}

namespace {

std::optional<std::string> cgroup_of(const Target& target) {
  const auto memberships = read_file_if_exists(fmt::format("/proc/{}/cgroup", target.init_pid()));
  const auto all = parse_cgroup_memberships(memberships.value_or(""));
  const auto unified = std::find_if(all.begin(), all.end(), [](const auto& one) { return one.controllers.empty(); });
  return unified == all.end() ? std::nullopt : container_cgroup(unified->path);
}

}  // namespace

std::filesystem::path host_temp_directory(const Target& target) {
  const auto cgroup = cgroup_of(target);
  if (!cgroup) {
    return {};
  }
  // A session's directory and its cgroup have the same name.
  const std::filesystem::path session = std::filesystem::path(*cgroup).parent_path().filename();
  const std::filesystem::path directory = Paths::from_environment().session(session.native());
  return std::filesystem::is_directory(directory) ? directory : std::filesystem::path();
}

HostCgroup::HostCgroup(const Target& target) {
  const auto own = cgroup_of(target);
  const auto directory =
      own ? cgroup_directory(read_file("/proc/self/mountinfo"), {.controllers = "", .path = *own}) : std::nullopt;
  if (!directory) {
    return;
  }
  static std::atomic<unsigned> next{0};
  path_ = fmt::format("{}/provision-{}-{}", *directory, ::getpid(), next++);
  if (::mkdir(path_.c_str(), 0755) != 0) {
    throw SystemError(fmt::format("make cgroup '{}'", path_));
  }
  procs_ = open_file(path_ + "/cgroup.procs", O_WRONLY);
}

HostCgroup::~HostCgroup() {
  if (path_.empty()) {
    return;
  }
  try {
    write_file(path_ + "/cgroup.kill", "1");
    // The kernel tells by a modification of cgroup.events when the last process has gone (cgroups(7)).
    const UniqueFd events = open_file(path_ + "/cgroup.events", O_RDONLY);
    const Deadline deadline = Deadline::after(Milliseconds(2'000));
    while (::rmdir(path_.c_str()) != 0 && errno == EBUSY && !deadline.passed()) {
      pollfd change{.fd = events.get(), .events = POLLPRI, .revents = 0};
      ::poll(&change, 1, std::min(deadline.poll_timeout(), 20));
      static_cast<void>(read_all(events.get(), "cgroup.events"));
      ::lseek(events.get(), 0, SEEK_SET);
    }
  } catch (const std::exception& error) {
    // Gone already when the session has been torn down meanwhile.
    log(LogLevel::debug, fmt::format("remove cgroup '{}': {}", path_, error.what()));
  }
}

}  // namespace mayfly
