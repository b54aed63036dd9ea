#include "mayfly/admission/slots.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "mayfly/admission/patience.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {

Slot& Slot::operator=(Slot&& other) noexcept {
  if (this != &other) {
    release();
    fd_ = std::move(other.fd_);
  }
  return *this;
}

void Slot::release() noexcept {
  // A child forked meanwhile shares the open file description, and with it the lock; closing alone would not end it.
  if (fd_) ::flock(fd_.get(), LOCK_UN);
  fd_.reset();
}

void make_directories(const std::filesystem::path& directory) {
  std::error_code code;
  std::filesystem::create_directories(directory, code);
  if (code) throw SystemError(fmt::format("create directory '{}'", directory.string()), code.value());
}

std::optional<Slot> Slots::try_take() const {
  make_directories(directory_);
  for (unsigned i = 0; i < count_; ++i) {
    const std::filesystem::path file = directory_ / fmt::format("{}-{}", kind_, i);
    UniqueFd fd = open_file(file, O_RDWR | O_CREAT, 0600);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      // For the messages of those who wait, so that a full disk is no reason to give up.
      const std::string pid = fmt::format("{:<15}\n", ::getpid());
      static_cast<void>(::pwrite(fd.get(), pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size()));
      return Slot(std::move(fd));
    }
    if (errno != EWOULDBLOCK) throw SystemError(fmt::format("lock '{}'", file.string()));
  }
  return std::nullopt;
}

std::string Slots::holders() const {
  std::set<std::string> pids;
  for (unsigned i = 0; i < count_; ++i) {
    std::string text = read_file_if_exists(directory_ / fmt::format("{}-{}", kind_, i)).value_or("");
    text.erase(std::min(text.find_first_not_of("0123456789"), text.size()));
    if (!text.empty()) pids.insert(std::move(text));
  }
  return fmt::format("process{} {}", pids.size() == 1 ? "" : "es", fmt::join(pids, ", "));
}

Slot Slots::take(const Progress& progress, Milliseconds limit) const {
  Patience patience(progress, limit);
  while (true) {
    if (std::optional<Slot> slot = try_take()) return *std::move(slot);
    const std::string why = fmt::format("a {} to end: {} at a time ({})", kind_, count_, holders());
    if (!patience.wait(why)) {
      TimeoutError error(fmt::format("waited {} for {}", to_string(limit), why));
      error.set_hint("MAYFLY_WAIT says how long to wait");
      throw error;
    }
  }
}

}  // namespace mayfly
