#include "mayfly/support/file_io.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "mayfly/support/error.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

// Doesn't return while a signal interrupts; errno is left for the caller.
ssize_t read_some(int fd, char* buffer, std::size_t size) {
  ssize_t count = 0;
  do {
    count = ::read(fd, buffer, size);
  } while (count < 0 && errno == EINTR);
  return count;
}

}  // namespace

UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) {
    const int code = errno;
    throw SystemError(fmt::format("open '{}'", path.string()), code);
  }
  return fd;
}

std::string read_all(int fd, std::string_view name) {
  std::string content;
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t count = read_some(fd, buffer.data(), buffer.size());
    if (count < 0) {
      const int code = errno;
      throw SystemError(fmt::format("read '{}'", name), code);
    }
    if (count == 0) {
      return content;
    }
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::string read_file(const std::filesystem::path& path) {
  const UniqueFd fd = open_file(path, O_RDONLY);
  return read_all(fd.get(), path.native());
}

std::optional<std::string> read_file_if_exists(const std::filesystem::path& path) {
  try {
    return read_file(path);
  } catch (const SystemError& error) {
    if (error.code() == ENOENT || error.code() == ENOTDIR || error.code() == ESRCH) {
      return std::nullopt;
    }
    throw;
  }
}

void write_all(int fd, std::string_view content, std::string_view name) {
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0) {
      const int code = errno;
      if (code == EINTR) {
        continue;
      }
      throw SystemError(fmt::format("write '{}'", name), code);
    }
    content.remove_prefix(static_cast<std::size_t>(count));
  }
}

void write_file(const std::filesystem::path& path, std::string_view content, unsigned mode) {
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  write_all(fd.get(), content, path.native());
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode) {
  std::string temporary = path.string() + ".XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) {
    const int code = errno;
    throw SystemError(fmt::format("create '{}'", temporary), code);
  }
  try {
    write_all(fd.get(), content, temporary);
    if (::fchmod(fd.get(), mode) != 0) {
      const int code = errno;
      throw SystemError(fmt::format("change the mode of '{}'", temporary), code);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      const int code = errno;
      throw SystemError(fmt::format("rename '{}' to '{}'", temporary, path.string()), code);
    }
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

TempDir::TempDir(std::string_view prefix, const std::filesystem::path& parent) {
  std::string name =
      ((parent.empty() ? std::filesystem::temp_directory_path() : parent) / fmt::format("{}XXXXXX", prefix)).string();
  if (::mkdtemp(name.data()) == nullptr) {
    const int code = errno;
    throw SystemError(fmt::format("create directory '{}'", name), code);
  }
  path_ = name;
}

TempDir TempDir::make(const std::filesystem::path& path) {
  constexpr mode_t kOwnersOnly = 0700;
  if (::mkdir(path.c_str(), kOwnersOnly) != 0) throw SystemError(fmt::format("create directory '{}'", path.string()));
  return TempDir(Taken{path});
}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
  if (this != &other) {
    remove();
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

TempDir::~TempDir() { remove(); }

void TempDir::remove() noexcept {
  if (path_.empty()) {
    return;
  }
  try {
    remove_tree(path_);
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("best-effort removal of a temporary directory: {}", error.what()));
  }
  path_.clear();
}

}  // namespace mayfly
