/// mayfly-keeper SOCKET OWNER RUNTIME STORE: owns everything that a test process starts, and undoes it when that
/// process has ended in whatever way. Started by KeeperClient only; with --version by `mayfly doctor`. SOCKET and OWNER
/// are descriptors: one end of a packet socket, and a pidfd of the test process.
#include <fmt/format.h>
#include <sys/prctl.h>

#include <cstdio>
#include <optional>
#include <string_view>

#include "mayfly/container/monitor.h"
#include "mayfly/keeper/detached.h"
#include "mayfly/keeper/packet.h"
#include "mayfly/keeper/server.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

int keep(const UniqueFd& socket, UniqueFd owner, const Paths& paths) {
  std::optional<Server> server;
  try {
    become_independent("mayfly-keeper", {socket.get(), owner.get()}, true);
    // Monitors' children that a monitor didn't reap.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
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
  const std::optional<int> socket = argc == 5 ? mayfly::given_descriptor(argv[1]) : std::nullopt;
  const std::optional<int> owner = argc == 5 ? mayfly::given_descriptor(argv[2]) : std::nullopt;
  if (!socket || !owner) {
    fmt::print(stderr, "mayfly-keeper is started by Mayfly itself\n");
    return 2;
  }
  mayfly::leave_parent();
  try {
    return mayfly::keep(mayfly::UniqueFd(*socket), mayfly::UniqueFd(*owner), {.runtime = argv[3], .store = argv[4]});
  } catch (const std::exception& error) {
    fmt::print(stderr, "mayfly-keeper: {}\n", error.what());
    return 1;
  }
}
