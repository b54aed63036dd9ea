#include "mayfly/pool/place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "mayfly/keeper/session_directory.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSocket = "pool";

/// The socket below an open directory: a path of any length would not fit into a sockaddr_un.
sockaddr_un address_in(const UniqueFd& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory.get(), kSocket);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

UniqueFd make_socket() {
  UniqueFd made(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) {
    throw SystemError("make a socket");
  }
  return made;
}

std::optional<ucred> peer_of(const UniqueFd& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return std::nullopt;
  }
  return peer;
}

bool same_namespace(pid_t process, const char* kind) {
  struct stat theirs {
  }, ours{};
  return stat(fmt::format("/proc/{}/ns/{}", process, kind).c_str(), &theirs) == 0 &&
         stat(fmt::format("/proc/self/ns/{}", kind).c_str(), &ours) == 0 && theirs.st_dev == ours.st_dev &&
         theirs.st_ino == ours.st_ino;
}

std::optional<UniqueFd> connect_in(const fs::path& session) {
  const UniqueFd directory(open(session.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory || faccessat(directory.get(), kSocket, F_OK, 0) != 0) {
    return std::nullopt;
  }
  UniqueFd socket = make_socket();
  const sockaddr_un address = address_in(directory);
  // Doesn't block: a pool that is too busy to accept is no help.
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::nullopt;
  }
  fcntl(socket.get(), F_SETFL, 0);
  return trusted_peer(socket) ? std::optional(std::move(socket)) : std::nullopt;
}

}  // namespace

std::optional<PoolElection> PoolElection::win(const Paths& paths) {
  // Others' ends remove the directory when it is empty.
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::error_code error;
    fs::create_directories(paths.sessions(), error);
    UniqueFd directory(open(paths.sessions().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) {
      continue;
    }
    if (flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
      return std::nullopt;
    }
    if (PoolElection won(std::move(directory)); won.holds(paths)) {
      return std::optional<PoolElection>(std::move(won));
    }
  }
  return std::nullopt;
}

bool PoolElection::holds(const Paths& paths) const {
  struct stat held {
  }, named{};
  return fstat(directory_.get(), &held) == 0 && stat(paths.sessions().c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

UniqueFd listen_in_session(const Paths& paths, std::string_view session) {
  const UniqueFd directory = open_file(paths.session(session), O_PATH | O_DIRECTORY);
  UniqueFd socket = make_socket();
  const sockaddr_un address = address_in(directory);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw SystemError(fmt::format("bind a socket in '{}'", paths.session(session).string()));
  }
  // Before listen(2), which lets the first one in.
  if (fchmodat(directory.get(), kSocket, 0600, 0) != 0 || listen(socket.get(), SOMAXCONN) != 0) {
    throw SystemError(fmt::format("listen in '{}'", paths.session(session).string()));
  }
  return socket;
}

void stop_listening(const Paths& paths, std::string_view session) noexcept {
  (void)unlink((paths.session(session) / kSocket).c_str());
}

std::optional<UniqueFd> connect_to_pool(const Paths& paths) {
  std::error_code none;
  for (const auto& session : fs::directory_iterator(paths.sessions(), none)) {
    if (std::optional<UniqueFd> socket = connect_in(session.path())) {
      return socket;
    }
  }
  return std::nullopt;
}

std::optional<pid_t> trusted_peer(const UniqueFd& socket) {
  const std::optional<ucred> peer = peer_of(socket);
  if (!peer || peer->uid != 0 || peer->pid <= 0 || !same_namespace(peer->pid, "pid") ||
      !same_namespace(peer->pid, "mnt")) {
    return std::nullopt;
  }
  return peer->pid;
}

}  // namespace mayfly
