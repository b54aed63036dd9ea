#include "mayfly/image/entry_lease.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

/// False when the directory was renamed away between our open and our lock.
bool is_named(const UniqueFd& fd, const std::filesystem::path& entry) {
  struct stat held {};
  struct stat named {};
  if (::fstat(fd.get(), &held) != 0) {
    throw SystemError(fmt::format("stat '{}'", entry.string()));
  }
  return ::stat(entry.c_str(), &named) == 0 && held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

std::optional<UniqueFd> lock_entry(const std::filesystem::path& entry, int operation) {
  UniqueFd fd(::open(entry.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) {
      return std::nullopt;
    }
    throw SystemError(fmt::format("look up '{}'", entry.string()));
  }
  while (::flock(fd.get(), operation) != 0) {
    if (errno == EWOULDBLOCK) {
      return std::nullopt;
    }
    if (errno != EINTR) {
      throw SystemError(fmt::format("lock '{}'", entry.string()));
    }
  }
  return is_named(fd, entry) ? std::optional(std::move(fd)) : std::nullopt;
}

}  // namespace

std::optional<UniqueFd> lease_entry(const std::filesystem::path& entry) { return lock_entry(entry, LOCK_SH); }

std::optional<UniqueFd> claim_entry(const std::filesystem::path& entry) { return lock_entry(entry, LOCK_EX | LOCK_NB); }

}  // namespace mayfly
