#include "mayfly/exec/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "mayfly/exec/spawn.h"
#include "mayfly/exec/vm_child.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

/// TTYAUX_MAJOR 5, minor 2: /dev/ptmx, and the ptmx of every devpts.
constexpr unsigned kPtmxMajor = 5;
constexpr unsigned kPtmxMinor = 2;

/// With CLONE_FILES: the descriptor stays with the caller.
MAYFLY_VM_CHILD int open_ptmx(void* argument) {
  int& master = *static_cast<int*>(argument);
  const long fd = child_call(SYS_openat, AT_FDCWD, as_word("/dev/ptmx"), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return static_cast<int>(-fd);
  }
  master = static_cast<int>(fd);
  return 0;
}

bool is_ptmx(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && ::major(status.st_rdev) == kPtmxMajor &&
         ::minor(status.st_rdev) == kPtmxMinor;
}

}  // namespace

Pseudoterminal open_pseudoterminal(const Target& target, uid_t uid, gid_t gid) {
  Pseudoterminal pair;
  int inside = -1;
  static_cast<void>(call_in_container(target, open_ptmx, &inside, true));
  pair.master = UniqueFd(inside);
  if (!pair.master || !is_ptmx(pair.master.get())) {
    pair.master = UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  }
  const int unlock = 0;
  if (!pair.master || ::ioctl(pair.master.get(), TIOCSPTLCK, &unlock) != 0) {
    throw SystemError("open a terminal for the container");
  }
  // By descriptor, not by name: the name is the container's.
  pair.slave = UniqueFd(::ioctl(pair.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pair.slave) {
    throw SystemError("open the container's end of its terminal");
  }
  // For another user than root, who could not open it by name else.
  static_cast<void>(!::fchown(pair.slave.get(), uid, gid));
  return pair;
}

void copy_window_size(int from, int to) {
  winsize wanted{}, current{};
  if (::ioctl(from, TIOCGWINSZ, &wanted) == 0 && ::ioctl(to, TIOCGWINSZ, &current) == 0 &&
      (wanted.ws_row != current.ws_row || wanted.ws_col != current.ws_col)) {
    ::ioctl(to, TIOCSWINSZ, &wanted);
  }
}

RawMode::RawMode(int terminal) : terminal_(terminal), changed_(::tcgetattr(terminal, &before_) == 0) {
  if (changed_) {
    termios raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(terminal_, TCSADRAIN, &raw);
  }
}

RawMode::~RawMode() {
  if (changed_) {
    ::tcsetattr(terminal_, TCSADRAIN, &before_);
  }
}

}  // namespace mayfly
