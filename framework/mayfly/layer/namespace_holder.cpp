#include "mayfly/layer/namespace_holder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

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

NamespaceHolder::Failure read_outcome(int fd) noexcept {
  NamespaceHolder::Failure failure;
  ssize_t got = 0;
  do {
    got = ::read(fd, &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof failure) ? failure
                                                     : NamespaceHolder::Failure{"hold a namespace in a child", ECHILD};
}

}  // namespace

NamespaceHolder::NamespaceHolder(int clone_flag, const char* step, SetUp set_up) {
  Pipe ready = make_pipe();
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) {
    throw SystemError("fork");
  }
  if (pid_ == 0) {
    Failure failure;
    if (::unshare(clone_flag) != 0) {
      failure = {step, errno};
    } else if (set_up != nullptr) {
      failure = set_up();
    }
    // After unshare(2), which may clear it with a change of credentials.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) {
      ::_exit(1);
    }
    // The parent's literals are where ours are.
    static_cast<void>(::write(ready.write_end.get(), &failure, sizeof failure) == 0);
    // Not "until the end of file of a pipe": another child of the caller could hold the pipe's other end.
    for (;;) {
      ::pause();
    }
  }
  ready.write_end.reset();
  if (const Failure failure = read_outcome(ready.read_end.get()); failure.step != nullptr) {
    end();
    throw SystemError(failure.step, failure.code);
  }
}

NamespaceHolder::~NamespaceHolder() { end(); }

UniqueFd NamespaceHolder::open(const char* kind) const {
  return open_file(fmt::format("/proc/{}/ns/{}", pid_, kind), O_RDONLY);
}

void NamespaceHolder::end() noexcept {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
  }
  // ECHILD: the caller reaps all of its children itself.
  while (pid_ > 0 && ::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace mayfly
