#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>

#include <cerrno>
#include <vector>

#include "mayfly/exec/container_paths.h"
#include "mayfly/exec/file_child.h"
#include "mayfly/exec/files.h"
#include "mayfly/exec/spawn.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

enum class Kind { parent, directory, file, symlink };

/// One thing to be made in the container.
struct Entry {
  Kind kind{};
  std::string path;  ///< in the container
  mode_t mode = 0;
  std::string link{};
  UniqueFd source{};
};

/// The same as the child sees it.
struct ChildEntry {
  Kind kind;
  const char* path;
  const char* link;
  mode_t mode;
  int source;
};

struct Batch {
  const ChildEntry* entries;
  std::size_t count;
  std::size_t at;  ///< the one that failed
  char* buffer;
  std::size_t buffer_size;
};

MAYFLY_VM_CHILD int make_directory(const ChildEntry& entry) noexcept {
  constexpr long kPrivate = 0700;
  const long result = child_call(SYS_mkdirat, AT_FDCWD, as_word(entry.path), kPrivate);
  if (result == -EEXIST) {
    // One that is there keeps its owner and mode: a tree may be copied over `/etc`.
    const long fd = child_call(SYS_openat, AT_FDCWD, as_word(entry.path), O_PATH | O_DIRECTORY | O_CLOEXEC);
    child_call(SYS_close, fd);
    return fd < 0 ? static_cast<int>(-fd) : 0;
  }
  return static_cast<int>(-(result < 0 ? result : child_call(SYS_fchmodat, AT_FDCWD, as_word(entry.path), entry.mode)));
}

MAYFLY_VM_CHILD int make_file(const ChildEntry& entry, const Batch& batch) noexcept {
  const long fd = child_open_for_writing(entry.path);
  if (fd < 0) {
    return static_cast<int>(-fd);
  }
  while (true) {
    const long size = child_call(SYS_read, entry.source, as_word(batch.buffer), static_cast<long>(batch.buffer_size));
    if (size == -EINTR) {
      continue;
    }
    if (size < 0) {
      return static_cast<int>(-size);
    }
    if (size == 0) {
      return child_finish_file(fd, entry.mode);
    }
    if (const int code = child_write_all(fd, batch.buffer, static_cast<std::size_t>(size)); code != 0) {
      return code;
    }
  }
}

MAYFLY_VM_CHILD int make_symlink(const ChildEntry& entry) noexcept {
  long result = child_call(SYS_symlinkat, as_word(entry.link), AT_FDCWD, as_word(entry.path));
  if (result == -EEXIST) {
    child_call(SYS_unlinkat, AT_FDCWD, as_word(entry.path), 0);
    result = child_call(SYS_symlinkat, as_word(entry.link), AT_FDCWD, as_word(entry.path));
  }
  return static_cast<int>(-result);
}

MAYFLY_VM_CHILD int make_batch(void* argument) {
  Batch& batch = *static_cast<Batch*>(argument);
  for (; batch.at < batch.count; ++batch.at) {
    const ChildEntry& entry = batch.entries[batch.at];
    int code = 0;
    switch (entry.kind) {
      case Kind::parent:
      case Kind::directory:
        code = make_directory(entry);
        break;
      case Kind::file:
        code = make_file(entry, batch);
        break;
      case Kind::symlink:
        code = make_symlink(entry);
        break;
    }
    if (code != 0) {
      return code;
    }
  }
  return 0;
}

/// Collects entries and makes them in the container, many with one child: the way in costs more than a small file.
class Copier {
 public:
  explicit Copier(const Target& target) : target_(target) {}

  void add(Entry entry) {
    constexpr std::size_t kBatch = 128;  // open source files, far below the usual limit of 1024
    entries_.push_back(std::move(entry));
    if (entries_.size() >= kBatch) {
      flush();
    }
  }

  void flush() {
    std::vector<ChildEntry> entries;
    entries.reserve(entries_.size());
    for (const Entry& entry : entries_) {
      entries.push_back({entry.kind, entry.path.c_str(), entry.link.c_str(), entry.mode, entry.source.get()});
    }
    Batch batch{entries.data(), entries.size(), 0, buffer_.data(), buffer_.size()};
    const int code = entries.empty() ? 0 : call_in_container(target_, make_batch, &batch);
    if (code != 0) {
      throw_file_error(target_, "write", entries_[batch.at].path, code);
    }
    entries_.clear();
  }

 private:
  static constexpr std::size_t kBuffer = 128UL * 1024;
  const Target& target_;
  std::vector<Entry> entries_{};
  std::vector<char> buffer_ = std::vector<char>(kBuffer);
};

/// Adds one entry of the host's. Devices, FIFOs and sockets are left out.
void add_entry(Copier& copier, const fs::path& from, const fs::file_status& status, const std::string& to) {
  const auto mode = static_cast<mode_t>(status.permissions() & fs::perms::mask);
  if (fs::is_symlink(status)) {
    copier.add({.kind = Kind::symlink, .path = to, .link = fs::read_symlink(from).string()});
  } else if (fs::is_directory(status)) {
    copier.add({.kind = Kind::directory, .path = to, .mode = mode});
  } else if (fs::is_regular_file(status)) {
    copier.add({.kind = Kind::file, .path = to, .mode = mode, .source = open_file(from, O_RDONLY)});
  }
}

void copy_all(Copier& copier, const fs::path& from, const std::string& to) {
  const fs::file_status top = fs::status(from);
  if (!fs::exists(top)) {
    throw SystemError(fmt::format("open '{}'", from.string()), ENOENT);
  }
  if (!fs::is_directory(top) && !fs::is_regular_file(top)) {
    throw Error(fmt::format("'{}' is neither a file nor a directory", from.string()));
  }
  add_entry(copier, from, top, to);
  if (!fs::is_directory(top)) {
    return;
  }
  const std::string base = to == "/" ? "" : to;
  for (auto entry = fs::recursive_directory_iterator(from); entry != fs::recursive_directory_iterator(); ++entry) {
    add_entry(copier, entry->path(), entry->symlink_status(),
              base + "/" + entry->path().lexically_relative(from).string());
  }
}

}  // namespace

void copy_in(const Target& target, const fs::path& from, const std::string& to) {
  constexpr mode_t kParentMode = 0755;
  require_absolute(to);
  const std::string destination = to.substr(0, to.find_last_not_of('/') + 1);
  try {
    Copier copier(target);
    for (std::size_t slash = destination.find('/', 1); slash != std::string::npos;
         slash = destination.find('/', slash + 1)) {
      copier.add({.kind = Kind::parent, .path = destination.substr(0, slash), .mode = kParentMode});
    }
    copy_all(copier, from.has_filename() ? from : from.parent_path(), destination.empty() ? "/" : destination);
    copier.flush();
  } catch (const fs::filesystem_error& error) {
    throw SystemError(fmt::format("read '{}'", error.path1().string()), error.code().value());
  } catch (Error& error) {
    error.add_context(fmt::format("copying '{}' to '{}' in the container", from.string(), to));
    throw;
  }
}

}  // namespace mayfly
