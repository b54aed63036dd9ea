#include "mayfly/image/host_mask.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

void make_directory(const MaskEntry& entry, const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0) {
    throw SystemError(fmt::format("create directory '{}'", path));
  }
  if (entry.kind == MaskEntry::Kind::opaque_directory &&
      ::setxattr(path.c_str(), "trusted.overlay.opaque", "y", 1, 0) != 0) {
    throw SystemError(fmt::format("make '{}' opaque", path));
  }
}

void make_entry(const MaskEntry& entry, const std::string& path) {
  switch (entry.kind) {
    case MaskEntry::Kind::whiteout:
      if (::mknod(path.c_str(), S_IFCHR, makedev(0, 0)) != 0) {
        throw SystemError(fmt::format("create whiteout '{}'", path));
      }
      return;
    case MaskEntry::Kind::symlink:
      if (::symlink(entry.content.c_str(), path.c_str()) != 0) {
        throw SystemError(fmt::format("create symlink '{}'", path));
      }
      break;
    case MaskEntry::Kind::file:
      write_file(path, entry.content, 0600);
      break;
    case MaskEntry::Kind::directory:
    case MaskEntry::Kind::opaque_directory:
      make_directory(entry, path);
      break;
  }
  if (::lchown(path.c_str(), entry.uid, entry.gid) != 0) {
    throw SystemError(fmt::format("set the owner of '{}'", path));
  }
  // After chown, which clears set-id bits.
  if (entry.kind != MaskEntry::Kind::symlink && ::chmod(path.c_str(), entry.mode) != 0) {
    throw SystemError(fmt::format("set the mode of '{}'", path));
  }
}

}  // namespace

void write_mask(const std::vector<MaskEntry>& mask, const std::filesystem::path& directory) {
  try {
    for (const MaskEntry& entry : mask) {
      make_entry(entry, (directory / entry.path).string());
    }
  } catch (SystemError& error) {
    if (error.code() == EPERM || error.code() == EOPNOTSUPP) {
      error.set_hint(
          "set MAYFLY_STORE_DIR to a directory on a disk's own file system, which an overlay isn't, and run as "
          "real root");
    }
    throw;
  }
}

}  // namespace mayfly
