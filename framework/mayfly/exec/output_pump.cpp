#include "mayfly/exec/output_pump.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "mayfly/exec/target_state.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

constexpr std::size_t kPiece = 64UL * 1024;  // a pipe's capacity

/// Blocks SIGPIPE for this thread and swallows the one that a write caused.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigset_t pending;
    sigemptyset(&only_);
    sigaddset(&only_, SIGPIPE);
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &only_, &before_);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;
  ~WithoutSigpipe() {
    if (!was_pending_) {
      const timespec now{};
      while (sigtimedwait(&only_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t only_, before_;
  bool was_pending_;
};

void make_pipe(UniqueFd& reader, UniqueFd& writer) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw SystemError("make a pipe for a command in a container");
  }
  reader.reset(ends[0]);
  writer.reset(ends[1]);
}

void set_nonblocking(int fd) {
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
    throw SystemError("set up a pipe for a command in a container");
  }
}

}  // namespace

OutputPump::OutputPump(const Target& target, const Account& account, std::string_view stdin_text,
                       const OnOutput& on_output)
    : stdin_left_(stdin_text), on_output_(on_output), buffer_(kPiece) {
  make_pipe(in_.theirs, in_.ours);
  make_pipe(out_.ours, out_.theirs);
  make_pipe(err_.ours, err_.theirs);
  const auto user = target.state().users.to_host(account.uid);
  const auto group = target.state().groups.to_host(account.gid);
  for (const Stream* stream : {&in_, &out_, &err_}) {
    set_nonblocking(stream->ours.get());
    // Best effort: only opening them by name needs it.
    if (user && group && (*user != ::geteuid() || *group != ::getegid())) {
      static_cast<void>(!::fchown(stream->ours.get(), *user, *group));
    }
  }
  if (stdin_left_.empty()) {
    in_.ours.reset();  // at its end from the start; a body mustn't hold the other end of its own
  }
}

std::array<int, 3> OutputPump::command_ends() const { return {in_.theirs.get(), out_.theirs.get(), err_.theirs.get()}; }

void OutputPump::started() {
  for (Stream* stream : {&in_, &out_, &err_}) {
    stream->theirs.reset();
  }
}

void OutputPump::also_read(UniqueFd reader, OnPiece on_piece) {
  other_.ours = std::move(reader);
  other_.on_piece = std::move(on_piece);
}

bool OutputPump::pump_until_exit(const ContainerProcess& process, const Deadline& deadline) {
  return pump_until(process.pidfd(), deadline);
}

bool OutputPump::pump_until(int end, const Deadline& deadline) {
  while (!deadline.passed()) {
    // poll(2) ignores the negative descriptors of streams that have ended.
    pollfd events[] = {{end, POLLIN, 0},
                       {out_.ours.get(), POLLIN, 0},
                       {err_.ours.get(), POLLIN, 0},
                       {in_.ours.get(), POLLOUT, 0},
                       {other_.ours.get(), POLLIN, 0}};
    if (::poll(events, std::size(events), deadline.poll_timeout()) < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw SystemError("wait for a command in a container");
    }
    if (events[1].revents != 0) {
      read_some(out_, kPiece);
    }
    if (events[2].revents != 0) {
      read_some(err_, kPiece);
    }
    if (events[3].revents != 0) {
      write_some();
    }
    if (events[4].revents != 0) {
      read_some(other_, kPiece);
    }
    if (events[0].revents != 0) {
      return true;
    }
  }
  return false;
}

void OutputPump::drain() {
  for (Stream* stream : {&out_, &err_, &other_}) {
    int available = 0;
    if (stream->ours && ::ioctl(stream->ours.get(), FIONREAD, &available) != 0) {
      available = 0;
    }
    for (auto left = static_cast<std::size_t>(available); left > 0;) {
      const std::size_t taken = read_some(*stream, std::min(kPiece, left));
      if (taken == 0) {
        break;
      }
      left -= taken;
    }
  }
}

std::size_t OutputPump::read_some(Stream& stream, std::size_t at_most) {
  const ssize_t size = ::read(stream.ours.get(), buffer_.data(), at_most);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    return 0;
  }
  if (size <= 0) {
    stream.ours.reset();
    return 0;
  }
  const std::string_view piece(buffer_.data(), static_cast<std::size_t>(size));
  if (stream.on_piece) {
    stream.on_piece(piece);
    return piece.size();
  }
  stream.text += piece;
  if (on_output_) {
    on_output_(stream.is_stderr, piece);
  }
  return piece.size();
}

void OutputPump::write_some() {
  const WithoutSigpipe without_sigpipe;
  const ssize_t size = ::write(in_.ours.get(), stdin_left_.data(), std::min(stdin_left_.size(), kPiece));
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (size > 0) {
    stdin_left_.remove_prefix(static_cast<std::size_t>(size));
  }
  if (size < 0 || stdin_left_.empty()) {
    in_.ours.reset();  // EPIPE: the command doesn't want the rest
  }
}

}  // namespace mayfly
