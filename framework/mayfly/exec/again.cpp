#include "mayfly/exec/again.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mayfly/exec/private_tree.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"

namespace mayfly {
namespace {

constexpr int kAboveStdio = 3;
constexpr int kReadableForAll = 0644;

[[noreturn]] void fail(const char* what) {
  throw SystemError(fmt::format("{} for a program that starts itself again", what));
}

}  // namespace

UniqueFd above_stdio(UniqueFd fd) {
  if (fd.get() >= kAboveStdio) {
    return fd;
  }
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kAboveStdio));
  if (!moved) {
    throw SystemError("duplicate a descriptor");
  }
  return moved;
}

UniqueFd duplicate(const UniqueFd& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kAboveStdio));
  if (!copy) {
    throw SystemError("duplicate a descriptor");
  }
  return copy;
}

std::string path_of(const UniqueFd& fd) { return fmt::format("/proc/self/fd/{}", fd.get()); }

Again make_again(const std::string& name, const std::string& executable, const std::vector<std::string>& arguments) {
  UniqueFd starter = above_stdio(open_file(find_shipped("mayfly-again"), O_RDONLY));
  UniqueFd memory = above_stdio(open_memory_tree("0755", "1m"));
  Again again{.argv0 = fmt::format("{}/{}", path_of(memory), name), .kept = {}};
  std::string text = executable + '\0';
  for (const std::string& argument : arguments) text += (argument == kArgv0 ? again.argv0 : argument) + '\0';
  UniqueFd file(
      ::openat(memory.get(), (name + ".arguments").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kReadableForAll));
  // The umask is the caller's, and the container's users aren't the file's owner.
  if (!file || ::fchmod(file.get(), kReadableForAll) != 0) fail("make a file");
  write_all(file.get(), text, "a file in memory");
  file.reset();  // what is open for writing can't be write-protected
  if (::symlinkat(path_of(starter).c_str(), memory.get(), name.c_str()) != 0) fail("make a link");
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(memory.get(), "", AT_EMPTY_PATH, &change, sizeof change) != 0) {
    fail("write-protect a file system in memory");
  }
  again.kept.push_back(std::move(starter));
  again.kept.push_back(std::move(memory));
  return again;
}

}  // namespace mayfly
