#include "mayfly/keeper/detached.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>

#include "mayfly/support/error.h"
#include "mayfly/support/paths.h"

namespace mayfly {
namespace {

/// A spawn's preparations, released in every case.
class SpawnSetup {
 public:
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

/// Above every number that posix_spawn's dup2 actions write to.
UniqueFd duplicate_above(int fd, int highest) {
  UniqueFd moved(fcntl(fd, F_DUPFD_CLOEXEC, highest + 1));
  if (!moved) {
    throw SystemError("duplicate a descriptor");
  }
  return moved;
}

}  // namespace

void spawn_detached(std::string_view program, const std::vector<std::string>& arguments,
                    std::initializer_list<GivenFd> given) {
  const std::filesystem::path path = find_shipped(program);
  int highest = 0;
  for (const GivenFd& one : given) {
    highest = std::max(highest, one.number);
  }
  SpawnSetup setup;
  std::vector<UniqueFd> moved;
  for (const GivenFd& one : given) {
    moved.push_back(duplicate_above(one.fd.get(), highest));
    posix_spawn_file_actions_adddup2(&setup.actions, moved.back().get(), one.number);
  }
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&setup.attributes, &none);
  sigset_t defaults;
  sigfillset(&defaults);
  posix_spawnattr_setsigdefault(&setup.attributes, &defaults);
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> words{std::string(program)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  // All of its symbols are looked up once, in place of once again in each process that it forks.
  std::string bind_now = "LD_BIND_NOW=1";
  std::vector<char*> environment{bind_now.data()};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  pid_t child = -1;
  if (const int error =
          posix_spawn(&child, path.c_str(), &setup.actions, &setup.attributes, argv.data(), environment.data());
      error != 0) {
    throw SystemError(fmt::format("start '{}'", path.string()), error);
  }
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<int> given_descriptor(std::string_view text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc() || end != text.data() + text.size() || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return std::nullopt;
  }
  return fd;
}

void leave_parent() {
  if (const pid_t child = fork(); child != 0) {
    _exit(child > 0 ? 0 : 1);
  }
}

void become_independent(const char* name, std::vector<int> keep, bool keep_stderr) {
  setsid();
  umask(022);
  if (chdir("/") != 0) {
    throw SystemError("change to '/'");
  }
  prctl(PR_SET_NAME, name);
  // Ctrl-C and a shutdown's SIGTERM are for the test process; when it ends, so does this one, but not before.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
    std::signal(signal, SIG_IGN);
  }
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null || dup2(null.get(), STDIN_FILENO) < 0 || dup2(null.get(), STDOUT_FILENO) < 0 ||
      (!keep_stderr && dup2(null.get(), STDERR_FILENO) < 0)) {
    throw SystemError("open '/dev/null'");
  }
  null.reset();
  std::sort(keep.begin(), keep.end());
  unsigned first = STDERR_FILENO + 1;
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned>(fd);
    if (first < kept) {
      close_range(first, kept - 1, 0);
    }
    first = kept + 1;
  }
  close_range(first, ~0U, 0);
}

UniqueFd open_pidfd(pid_t pid) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    throw SystemError(fmt::format("open a pidfd of process {}", pid));
  }
  return pidfd;
}

bool has_ended(const UniqueFd& pidfd) {
  pollfd ended{pidfd.get(), POLLIN, 0};
  return poll(&ended, 1, 0) == 1;
}

}  // namespace mayfly
