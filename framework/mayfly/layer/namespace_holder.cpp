#include "mayfly/layer/namespace_holder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

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

}  // namespace

NamespaceHolder::NamespaceHolder(int clone_flag, const char* step, SetUp set_up) {
  Pipe ready = make_pipe();
  Pipe done = make_pipe();
  pid_ = ::fork();
  if (pid_ < 0) {
    throw SystemError("fork");
  }
  if (pid_ == 0) {
    ::close(done.write_end.get());  // else its end of file would never come
    Failure failure;
    if (::unshare(clone_flag) != 0) {
      failure = {step, errno};
    } else if (set_up != nullptr) {
      failure = set_up();
    }
    // The parent's literals are where ours are.
    if (::write(ready.write_end.get(), &failure, sizeof failure) == static_cast<ssize_t>(sizeof failure)) {
      char byte = 0;
      static_cast<void>(read_retrying(done.read_end.get(), &byte, 1));
    }
    ::_exit(0);
  }
  ready_ = std::move(ready.read_end);
  done_ = std::move(done.write_end);
  ready.write_end.reset();
  if (const Failure failure = wait_until_ready(); failure.step != nullptr) {
    end();
    throw SystemError(failure.step, failure.code);
  }
}

NamespaceHolder::~NamespaceHolder() { end(); }

UniqueFd NamespaceHolder::open(const char* kind) const {
  return open_file(fmt::format("/proc/{}/ns/{}", pid_, kind), O_RDONLY);
}

NamespaceHolder::Failure NamespaceHolder::wait_until_ready() const noexcept {
  Failure failure;
  return read_retrying(ready_.get(), &failure, sizeof failure) == static_cast<ssize_t>(sizeof failure)
             ? failure
             : Failure{"hold a namespace in a child process", ECHILD};
}

void NamespaceHolder::end() noexcept {
  done_.reset();
  // ECHILD: the caller reaps all of its children itself.
  while (pid_ > 0 && ::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace mayfly
