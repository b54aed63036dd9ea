#include "mayfly/layer/id_map.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

struct Pipe {
  UniqueFd read_end, write_end;
};

Pipe make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) {
    throw SystemError("create pipe");
  }
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

ssize_t read_retrying(int fd, void* buffer, std::size_t size) noexcept {
  ssize_t got = 0;
  do {
    got = ::read(fd, buffer, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

/// Enters a new user namespace, says so, and keeps it alive until the parent has opened it. Async-signal-safe.
[[noreturn]] void hold_namespace(int says, int hears, int parents_end) noexcept {
  ::close(parents_end);  // else the end of file below would never come
  const int code = ::unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
  char byte = 0;
  if (::write(says, &code, sizeof code) == static_cast<ssize_t>(sizeof code) && code == 0) {
    static_cast<void>(read_retrying(hears, &byte, 1));
  }
  ::_exit(0);
}

class Holder {
 public:
  Holder() : ready_(make_pipe()), done_(make_pipe()), pid_(::fork()) {
    if (pid_ < 0) {
      throw SystemError("fork");
    }
    if (pid_ == 0) {
      hold_namespace(ready_.write_end.get(), done_.read_end.get(), done_.write_end.get());
    }
    ready_.write_end.reset();
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    done_.write_end.reset();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  /// The errno of its unshare(2).
  [[nodiscard]] int wait_until_ready() const noexcept {
    int code = 0;
    return read_retrying(ready_.read_end.get(), &code, sizeof code) == static_cast<ssize_t>(sizeof code) ? code
                                                                                                         : ECHILD;
  }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  Pipe ready_, done_;
  pid_t pid_;
};

}  // namespace

UniqueFd make_id_map_namespace(const IdMap& map) {
  return in_context(fmt::format("making an id map of {} ids from host id {}", map.count, map.host_base), [&] {
    const Holder holder;
    if (const int code = holder.wait_until_ready(); code != 0) {
      SystemError error("create user namespace", code);
      if (code == ENOSPC) {
        error.set_hint("raise the sysctl user.max_user_namespaces");
      }
      throw error;
    }
    const std::string proc = fmt::format("/proc/{}", holder.pid());
    // One write(2) a map, by a process with CAP_SETUID in the parent namespace: user_namespaces(7).
    for (const char* file : {"uid_map", "gid_map"}) {
      const std::string path = fmt::format("{}/{}", proc, file);
      write_all(open_file(path, O_WRONLY).get(), fmt::format("0 {} {}\n", map.host_base, map.count), path);
    }
    return open_file(proc + "/ns/user", O_RDONLY);
  });
}

}  // namespace mayfly
