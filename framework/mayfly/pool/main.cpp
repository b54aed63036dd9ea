/// mayfly-pool CONNECTION RUNTIME STORE: keeps containers ready for the test processes of one runtime directory, see
/// pool.h. Started by PoolClient only. CONNECTION is a descriptor: one end of a packet socket, whose other end the
/// starting process has.
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "mayfly/keeper/detached.h"
#include "mayfly/keeper/session_directory.h"
#include "mayfly/pool/pool.h"
#include "mayfly/support/error.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

constexpr Milliseconds kLinger{5'000};

Milliseconds linger() {
  const char* text = std::getenv("MAYFLY_POOL_LINGER");
  return parse_duration(text == nullptr ? "" : text).value_or(kLinger);
}

/// Each user is two descriptors, and each ready container one.
void allow_many_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

int serve(UniqueFd connection, const Paths& paths) {
  become_independent("mayfly-pool", {connection.get()}, false);
  allow_many_descriptors();
  const std::optional<PoolElection> election = PoolElection::win(paths);
  if (!election) {
    return 0;
  }
  try {
    Pool(paths, std::move(connection), linger()).run(*election);
  } catch (const std::exception& error) {
    log(LogLevel::debug, fmt::format("pool: {}", error.what()));
    remove_empty_runtime(paths);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace mayfly

int main(int argc, char** argv) {
  const std::optional<int> connection = argc == 4 ? mayfly::given_descriptor(argv[1]) : std::nullopt;
  if (!connection) {
    fmt::print(stderr, "mayfly-pool is started by Mayfly itself\n");
    return 2;
  }
  mayfly::leave_parent();
  try {
    return mayfly::serve(mayfly::UniqueFd(*connection), {.runtime = argv[2], .store = argv[3]});
  } catch (const std::exception&) {
    return 1;
  }
}
