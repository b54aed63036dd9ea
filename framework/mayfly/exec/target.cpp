#include "mayfly/exec/target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>

#include "mayfly/exec/target_state.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// Of the namespaces of `process`, those that the caller isn't in.
int differing_namespaces(const std::string& process) {
  struct Kind {
    const char* name;
    int flag;
  };
  // Not the time namespace: a child that shares memory can't enter one (EUSERS), and Mayfly makes none.
  constexpr Kind kKinds[] = {{"user", CLONE_NEWUSER},    {"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},
                             {"net", CLONE_NEWNET},      {"uts", CLONE_NEWUTS}, {"ipc", CLONE_NEWIPC},
                             {"cgroup", CLONE_NEWCGROUP}};
  int flags = 0;
  for (const Kind& kind : kKinds) {
    struct stat theirs {
    }, ours{};
    const std::string path = fmt::format("{}/ns/{}", process, kind.name);
    if (::stat(path.c_str(), &theirs) != 0) {
      throw SystemError(fmt::format("look at '{}'", path));
    }
    if (::stat(fmt::format("/proc/thread-self/ns/{}", kind.name).c_str(), &ours) != 0) {
      throw SystemError(fmt::format("look at the caller's {} namespace", kind.name));
    }
    if (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev) {
      flags |= kind.flag;
    }
  }
  return flags;
}

void find_cgroups(const std::string& process, Target::State& state) {
  const std::string mountinfo = read_file("/proc/self/mountinfo");
  const auto ours = parse_cgroup_memberships(read_file("/proc/thread-self/cgroup"));
  for (CgroupMembership& cgroup : parse_cgroup_memberships(read_file(process + "/cgroup"))) {
    const bool v2 = cgroup.controllers.empty();
    if (v2) {
      // systemd moves itself into a leaf below its root.
      constexpr std::string_view kScope = "/init.scope";
      if (cgroup.path.ends_with(kScope)) {
        cgroup.path.resize(cgroup.path.size() - kScope.size());
      }
    }
    const auto same = [&](const CgroupMembership& other) {
      return other.controllers == cgroup.controllers && other.path == cgroup.path;
    };
    if (std::find_if(ours.begin(), ours.end(), same) != ours.end()) {
      continue;
    }
    const auto directory = cgroup_directory(mountinfo, cgroup);
    if (!directory) {
      continue;
    }
    if (v2) {
      state.cgroup = open_file(*directory, O_PATH | O_DIRECTORY);
    } else {
      state.cgroups_v1.push_back(open_file(*directory + "/cgroup.procs", O_WRONLY));
    }
  }
}

}  // namespace

Target Target::from_init(pid_t init_pid) {
  auto state = std::make_shared<State>();
  state->init_pid = init_pid;
  // The pidfd comes first: what is read from /proc below is of this process as long as it lives.
  state->pidfd = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, init_pid, 0)));
  if (!state->pidfd) {
    const int code = errno;
    if (code == ESRCH || code == EINVAL) {
      throw Error(fmt::format("no container runs with process {} as its init", init_pid));
    }
    throw SystemError(fmt::format("open a pidfd of process {}", init_pid), code);
  }
  const std::string process = fmt::format("/proc/{}", init_pid);
  try {
    state->root = open_file(process + "/root", O_PATH | O_DIRECTORY);
    state->namespaces = differing_namespaces(process);
    state->users = IdTranslation::parse(read_file(process + "/uid_map"));
    state->groups = IdTranslation::parse(read_file(process + "/gid_map"));
    const std::string status = read_file(process + "/status");
    const std::string_view bounding = status_field(status, "CapBnd");
    std::from_chars(bounding.data(), bounding.data() + bounding.size(), state->capabilities, 16);
    state->no_new_privileges = status_field(status, "NoNewPrivs") == "1";
    find_cgroups(process, *state);
  } catch (const SystemError&) {
    if (state->dies_within(100)) {
      throw_stopped();
    }
    throw;
  }
  if (state->dies_within(0)) {
    throw_stopped();
  }
  if ((state->namespaces & CLONE_NEWPID) == 0) {
    throw Error(fmt::format("process {} is no container's init: it is in the caller's own pid namespace", init_pid));
  }
  return Target(std::move(state));
}

pid_t Target::init_pid() const noexcept { return state_->init_pid; }
int Target::init_pidfd() const noexcept { return state_->pidfd.get(); }
int Target::root_fd() const noexcept { return state_->root.get(); }
bool Target::dead() const { return state_->dies_within(0); }

bool Target::State::dies_within(int milliseconds) const {
  pollfd death{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&death, 1, milliseconds) == 1;
}

void throw_stopped() { throw StoppedError("container has stopped"); }

}  // namespace mayfly
