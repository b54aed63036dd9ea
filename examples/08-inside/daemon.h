#pragma once

#include <string>

/// What every daemon does before it serves anybody. Nothing that one would try on one's own machine as root.
namespace courier {

/// "key = value" in /etc/courier.conf; the default where the file has no such key, or isn't there.
std::string setting(const std::string& key, const std::string& otherwise);

/// Listens on a TCP port of all addresses. @return the socket
/// @throws std::system_error
int listen_on(unsigned short port);

/// Leaves root's user, group and capabilities behind, for good.
/// @throws std::system_error; std::runtime_error when there is no such user
void become(const std::string& user);

}  // namespace courier
