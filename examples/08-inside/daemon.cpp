#include "daemon.h"

#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace courier {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

/// Not by getpwnam(3): that asks NSS modules, which are the machine's, not ours.
std::pair<uid_t, gid_t> ids_of(const std::string& user) {
  std::ifstream passwd("/etc/passwd");
  for (std::string line; std::getline(passwd, line);) {
    std::istringstream fields(line);
    std::string name, password, uid, gid;
    if (std::getline(fields, name, ':') && std::getline(fields, password, ':') && std::getline(fields, uid, ':') &&
        std::getline(fields, gid, ':') && name == user) {
      return {static_cast<uid_t>(std::stoul(uid)), static_cast<gid_t>(std::stoul(gid))};
    }
  }
  throw std::runtime_error("no user '" + user + "'");
}

}  // namespace

std::string setting(const std::string& key, const std::string& otherwise) {
  std::ifstream file("/etc/courier.conf");
  std::string name, equals, value;
  while (file >> name >> equals >> value) {
    if (name == key) return value;
  }
  return otherwise;
}

int listen_on(unsigned short port) {
  const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, SOMAXCONN) != 0) {
    const int error = errno;
    ::close(fd);
    errno = error;
    fail("listen");
  }
  return fd;
}

void become(const std::string& user) {
  const auto [uid, gid] = ids_of(user);
  if (::setgroups(0, nullptr) != 0 || ::setresgid(gid, gid, gid) != 0 || ::setresuid(uid, uid, uid) != 0) {
    fail("become another user");
  }
}

}  // namespace courier
