#include "mayfly/image/key_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

#include "mayfly/image/ticker.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// Who holds the lock, as far as he has said so already.
std::string holder_of(int fd) {
  char text[16] = {};
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  pid_t pid = 0;
  if (size > 0) {
    std::from_chars(text, text + size, pid);
  }
  if (pid <= 0) {
    return "another process";
  }
  return pid == ::getpid() ? "another thread of this process" : fmt::format("process {}", pid);
}

void lock_and_tell(int fd, const std::filesystem::path& file, const Progress& progress, std::string_view doing) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) {
    return;
  }
  if (errno != EWOULDBLOCK) {
    throw SystemError(fmt::format("lock '{}'", file.string()));
  }
  Ticker ticker(fmt::format("waiting for {}, which {}", holder_of(fd), doing), progress);
  ticker.stage({});
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) {
      throw SystemError(fmt::format("lock '{}'", file.string()));
    }
  }
}

}  // namespace

KeyLock::KeyLock(std::filesystem::path file, const Progress& progress, std::string_view doing)
    : file_(std::move(file)) {
  do {
    fd_ = open_file(file_, O_RDWR | O_CREAT, 0600);
    lock_and_tell(fd_.get(), file_, progress, doing);
  } while (!holds_the_named_file());
  // For the messages of those who wait; without it they only know less, so a full disk is no reason to give up here.
  const std::string pid = fmt::format("{:<15}\n", ::getpid());
  if (::pwrite(fd_.get(), pid.data(), pid.size(), 0) < 0) {
    log(LogLevel::debug, fmt::format("write the holder's pid into '{}' failed", file_.string()));
  }
}

KeyLock::~KeyLock() {
  // Unlinked before it is unlocked: who then gets this lock sees that its file has no name any more, and tries again.
  ::unlink(file_.c_str());
  // A child forked meanwhile shares the open file description, and with it the lock; closing alone would not end it.
  ::flock(fd_.get(), LOCK_UN);
}

bool KeyLock::holds_the_named_file() const {
  struct stat held {};
  struct stat named {};
  if (::fstat(fd_.get(), &held) != 0) {
    throw SystemError(fmt::format("stat '{}'", file_.string()));
  }
  return ::stat(file_.c_str(), &named) == 0 && held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

bool is_locked(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) {
      return false;
    }
    throw SystemError(fmt::format("open '{}'", file.string()));
  }
  // Given back at once: whoever waits for it looks whether it is still the named file, which it is.
  return ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
}

void remove_stale_locks(const std::filesystem::path& directory) noexcept {
  try {
    std::error_code code;
    for (std::filesystem::directory_iterator file(directory, code);
         !code && file != std::filesystem::directory_iterator(); file.increment(code)) {
      // As ~KeyLock does: unlinked while it is held, so that a waiter notices.
      if (const UniqueFd fd(::open(file->path().c_str(), O_RDWR | O_CLOEXEC));
          fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
        struct stat held {};
        struct stat named {};
        if (::fstat(fd.get(), &held) == 0 && ::stat(file->path().c_str(), &named) == 0 && held.st_ino == named.st_ino) {
          ::unlink(file->path().c_str());
        }
      }
    }
  } catch (const std::exception& error) {
    log(LogLevel::debug, fmt::format("remove stale locks in '{}': {}", directory.string(), error.what()));
  }
}

}  // namespace mayfly
