#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

// Somebody may still be creating files in there; after so many rounds without an end the directory counts as in use.
constexpr int kRounds = 4;

class TreeRemover {
 public:
  void remove(int parent, const std::string& name, const std::filesystem::path& path) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT || errno == ENOTDIR) {
      return;
    }
    // Linux says EISDIR for a directory (POSIX: EPERM).
    if (const int code = errno; code != EISDIR && code != EPERM) {
      fail(path, code);
      return;
    }
    remove_directory(parent, name, path);
  }

  [[nodiscard]] const std::optional<SystemError>& first_error() const { return first_error_; }

 private:
  void remove_directory(int parent, const std::string& name, const std::filesystem::path& path) {
    int code = 0;
    for (int round = 0; round < kRounds; ++round) {
      const bool had_error = first_error_.has_value();
      empty(parent, name, path);
      if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return;
      }
      code = errno;
      if (code != ENOTEMPTY || first_error_.has_value() != had_error) {
        break;
      }
    }
    fail(path, code);
  }

  void empty(int parent, const std::string& name, const std::filesystem::path& path) {
    // glibc 2.36 has no wrapper. RESOLVE_NO_XDEV refuses bind mounts of the same file system too, which st_dev can't
    // tell.
    struct open_how how {};
    how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
    UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, parent, name.c_str(), &how, sizeof how)));
    if (!fd) {
      if (const int code = errno; code == EXDEV) {
        fail(path, EBUSY);  // a mount point, as rmdir(2) calls it
      } else if (code != ENOENT && code != ENOTDIR && code != ELOOP) {
        fail(path, code);
      }
      return;
    }
    for (const std::string& entry : names_in(fd.get(), path)) {
      remove(fd.get(), entry, path / entry);
    }
  }

  std::vector<std::string> names_in(int directory, const std::filesystem::path& path) {
    std::vector<std::string> names;
    // fdopendir(3) takes the descriptor over.
    DIR* stream = ::fdopendir(::fcntl(directory, F_DUPFD_CLOEXEC, 0));
    if (stream == nullptr) {
      fail(path, errno);
      return names;
    }
    ::rewinddir(stream);
    while (const dirent* entry = ::readdir(stream)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") {
        names.emplace_back(name);
      }
    }
    ::closedir(stream);
    return names;
  }

  void fail(const std::filesystem::path& path, int code) {
    if (!first_error_) {
      first_error_.emplace(fmt::format("remove '{}'", path.string()), code);
    }
  }

  std::optional<SystemError> first_error_;
};

}  // namespace

void remove_tree(const std::filesystem::path& path) {
  std::filesystem::path target = path.lexically_normal();
  if (!target.has_filename()) {
    target = target.parent_path();  // a slash at the end
  }
  if (!target.has_filename() || target.filename() == ".." || target.filename() == ".") {
    throw Error(fmt::format("remove '{}': not a path that may be removed", path.string()));
  }
  const std::filesystem::path parent = target.has_parent_path() ? target.parent_path() : ".";
  const UniqueFd directory(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    const int code = errno;
    if (code == ENOENT || code == ENOTDIR) {
      return;
    }
    throw SystemError(fmt::format("open '{}'", parent.string()), code);
  }
  TreeRemover remover;
  remover.remove(directory.get(), target.filename().string(), target);
  if (remover.first_error()) {
    throw SystemError(*remover.first_error());
  }
}

}  // namespace mayfly
