#include "mayfly/exec/tree_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "mayfly/support/error.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 64;

UniqueFd open_below(int directory, const char* name) {
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, directory, name, &how, sizeof how)));
}

class Reader {
 public:
  Reader(const std::function<bool(const fs::path&)>& wanted, const TreeLimits& limits)
      : wanted_(wanted), limits_(limits) {}

  void read_directory(UniqueFd directory, const fs::path& path, int depth) {
    if (depth > kDeepest) {
      throw Error(fmt::format("it has directories below each other, more than {}", kDeepest));
    }
    for (const std::string& name : names_in(directory)) {
      UniqueFd file = open_below(directory.get(), name.c_str());
      struct stat info {};
      if (!file || ::fstat(file.get(), &info) != 0) continue;  // a link, or gone
      if (S_ISDIR(info.st_mode)) {
        read_directory(std::move(file), path / name, depth + 1);
      } else if (S_ISREG(info.st_mode) && wanted_(path / name)) {
        files_.push_back({path / name, read_file(file.get(), static_cast<std::uintmax_t>(info.st_size))});
      }
    }
  }
  [[nodiscard]] std::vector<TreeFile> take() { return std::move(files_); }

 private:
  std::vector<std::string> names_in(const UniqueFd& directory) {
    const int copy = ::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy < 0 ? nullptr : ::fdopendir(copy), ::closedir);
    if (!stream) {
      throw SystemError("read a directory that a container has written");
    }
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++entries_ > limits_.files) {
        throw Error(fmt::format("it has more than {} files", limits_.files));
      }
      names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string read_file(int file, std::uintmax_t size) {
    // A file with holes has more than the file system may hold.
    if (size > limits_.bytes - bytes_) {
      throw Error(fmt::format("its files have more than {} bytes", limits_.bytes));
    }
    bytes_ += size;
    std::string content(size, '\0');
    std::size_t have = 0;
    while (have < content.size()) {
      const ssize_t count = ::read(file, content.data() + have, content.size() - have);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      have += static_cast<std::size_t>(count);
    }
    content.resize(have);
    return content;
  }

  const std::function<bool(const fs::path&)>& wanted_;
  const TreeLimits& limits_;
  std::size_t entries_ = 0;
  std::uintmax_t bytes_ = 0;
  std::vector<TreeFile> files_;
};

}  // namespace

std::vector<TreeFile> read_tree_files(int tree, const std::function<bool(const fs::path&)>& wanted,
                                      const TreeLimits& limits) {
  Reader reader(wanted, limits);
  UniqueFd root = open_below(tree, ".");
  if (!root) {
    throw SystemError("open a tree that a container has written");
  }
  reader.read_directory(std::move(root), {}, 0);
  return reader.take();
}

}  // namespace mayfly
