#include "mayfly/image/package_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <vector>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kDigits = 16;

std::set<std::string> packages_in(const fs::path& directory) {
  std::set<std::string> names;
  std::error_code missing;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, missing)) {
    if (entry.path().extension() == ".deb") {
      names.insert(entry.path().filename().string());
    }
  }
  return names;
}

/// What is there already, or has gone meanwhile, is no error.
void link_file(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) != 0 && errno != EEXIST && errno != ENOENT && errno != EMLINK) {
    throw SystemError(fmt::format("link '{}' to '{}'", from.string(), to.string()));
  }
}

void sync(const fs::path& file) {
  const UniqueFd fd = open_file(file, O_RDONLY);
  if (::fdatasync(fd.get()) != 0) {
    throw SystemError(fmt::format("sync '{}'", file.string()));
  }
}

}  // namespace

PackageCache::PackageCache(const Paths& paths, const std::string& mirror)
    : directory_(paths.packages() / (mirror.empty() ? "debian" : Sha256().field(mirror).hex().substr(0, kDigits))) {}

void PackageCache::lay_out(const fs::path& archives) const {
  for (const std::string& name : packages_in(directory_)) {
    link_file(directory_ / name, archives / name);
  }
}

void PackageCache::forget() const { remove_tree(directory_); }

void PackageCache::take_in(const fs::path& archives) const noexcept {
  try {
    const std::set<std::string> known = packages_in(directory_);
    std::vector<std::string> added;
    for (const std::string& name : packages_in(archives)) {
      if (!known.contains(name)) {
        sync(archives / name);
        added.push_back(name);
      }
    }
    for (const fs::path& directory : {directory_.parent_path(), directory_}) {
      if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        throw SystemError(fmt::format("create directory '{}'", directory.string()));
      }
    }
    for (const std::string& name : added) {
      link_file(archives / name, directory_ / name);
    }
    ::utimensat(AT_FDCWD, directory_.c_str(), nullptr, 0);
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("keep downloaded packages (best effort): {}", error.what()));
  }
}

}  // namespace mayfly
