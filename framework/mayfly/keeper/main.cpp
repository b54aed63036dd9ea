/// mayfly-keeper SOCKET OWNER RUNTIME STORE: owns everything that a test process starts, and undoes it when that
/// process has ended in whatever way. Started by KeeperClient only; with --version by `mayfly doctor`. SOCKET and OWNER
/// are descriptors: one end of a packet socket, and a pidfd of the test process.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string_view>

#include "mayfly/container/monitor.h"
#include "mayfly/keeper/packet.h"
#include "mayfly/keeper/server.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

std::optional<int> descriptor(std::string_view text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc() || end != text.data() + text.size() || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return std::nullopt;
  }
  return fd;
}

/// Cuts all ties with the test process but the two descriptors: its terminal, its process group, its umask, its
/// signals.
void become_independent(int socket, int owner) {
  setsid();
  umask(022);
  if (chdir("/") != 0) {
    throw SystemError("change to '/'");
  }
  prctl(PR_SET_NAME, "mayfly-keeper");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  // Ctrl-C and a shutdown's SIGTERM are for the test process; when it ends, so does this one, but not before.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
    std::signal(signal, SIG_IGN);
  }
  // Output is the test process's; warnings go where its own go.
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null || dup2(null.get(), STDIN_FILENO) < 0 || dup2(null.get(), STDOUT_FILENO) < 0) {
    throw SystemError("open '/dev/null'");
  }
  const int first = std::min(socket, owner);
  const int second = std::max(socket, owner);
  if (first + 1 < second) {
    close_range(static_cast<unsigned>(first) + 1, static_cast<unsigned>(second) - 1, 0);
  }
  close_range(static_cast<unsigned>(second) + 1, ~0U, 0);
}

int keep(const UniqueFd& socket, UniqueFd owner, const Paths& paths) {
  std::optional<Server> server;
  try {
    become_independent(socket.get(), owner.get());
    server.emplace(socket.get(), std::move(owner), paths);
  } catch (const std::exception& error) {
    (void)send_packet(socket.get(), to_json(failure_from(error)));
    return 1;
  }
  return server->run() ? 0 : 1;
}

}  // namespace
}  // namespace mayfly

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    fmt::print("mayfly-keeper {}, liblxc {}\n", MAYFLY_VERSION, mayfly::liblxc_version());
    return 0;
  }
  const std::optional<int> socket = argc == 5 ? mayfly::descriptor(argv[1]) : std::nullopt;
  const std::optional<int> owner = argc == 5 ? mayfly::descriptor(argv[2]) : std::nullopt;
  if (!socket || !owner) {
    fmt::print(stderr, "mayfly-keeper is started by Mayfly itself\n");
    return 2;
  }
  // Not the test process's child: a test that waits for all of its children would wait for ever.
  if (const pid_t child = fork(); child != 0) {
    _exit(child > 0 ? 0 : 1);
  }
  try {
    return mayfly::keep(mayfly::UniqueFd(*socket), mayfly::UniqueFd(*owner), {.runtime = argv[3], .store = argv[4]});
  } catch (const std::exception& error) {
    fmt::print(stderr, "mayfly-keeper: {}\n", error.what());
    return 1;
  }
}
