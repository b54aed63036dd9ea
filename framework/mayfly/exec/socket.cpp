#include "mayfly/exec/socket.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include "mayfly/exec/spawn.h"
#include "mayfly/exec/vm_child.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

struct SocketRequest {
  long family, type, protocol;
  long fd;
};

MAYFLY_VM_CHILD int make_socket(void* argument) {
  SocketRequest& request = *static_cast<SocketRequest*>(argument);
  request.fd = child_call(SYS_socket, request.family, request.type, request.protocol);
  return request.fd < 0 ? static_cast<int>(-request.fd) : 0;
}

}  // namespace

UniqueFd open_socket(const Target& target, int family, int type, int protocol) {
  SocketRequest request{.family = family, .type = type | SOCK_CLOEXEC, .protocol = protocol, .fd = -1};
  // The child shares the table of descriptors, so its socket is ours.
  if (const int code = call_in_container(target, make_socket, &request, true); code != 0) {
    throw SystemError("make a socket in the container", code);
  }
  return UniqueFd(static_cast<int>(request.fd));
}

}  // namespace mayfly
