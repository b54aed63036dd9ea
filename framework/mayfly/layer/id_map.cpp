#include "mayfly/layer/id_map.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <cerrno>
#include <string>

#include "mayfly/layer/namespace_holder.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

UniqueFd make(const IdMap& map) {
  const NamespaceHolder holder(CLONE_NEWUSER, "create user namespace");
  // One write(2) a map, by a process with CAP_SETUID in the parent namespace: user_namespaces(7).
  for (const char* file : {"uid_map", "gid_map"}) {
    const std::string path = fmt::format("/proc/{}/{}", holder.pid(), file);
    write_all(open_file(path, O_WRONLY).get(), fmt::format("0 {} {}\n", map.host_base, map.count), path);
  }
  return holder.open("user");
}

}  // namespace

UniqueFd make_id_map_namespace(const IdMap& map) {
  return in_context(fmt::format("making an id map of {} ids from host id {}", map.count, map.host_base), [&map] {
    try {
      return make(map);
    } catch (SystemError& error) {
      if (error.code() == ENOSPC) {
        error.set_hint("raise the sysctl user.max_user_namespaces");
      }
      throw;
    }
  });
}

}  // namespace mayfly
