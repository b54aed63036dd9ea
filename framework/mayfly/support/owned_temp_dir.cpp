#include "mayfly/support/owned_temp_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "mayfly/support/error.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "mayfly-";

bool has_name(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && status.st_nlink > 0;
}

/// The runtime directory may be made by whoever comes first, whatever his umask(2) is: others mustn't write to it.
void make_directory(const fs::path& directory, mode_t mode) {
  if (::mkdir(directory.c_str(), mode) != 0 && errno != EEXIST && errno != ENOENT) {
    throw SystemError(fmt::format("make directory '{}'", directory.string()));
  }
}

/// A new file, locked before anybody else could take it for a dead process's. @param file is set as soon as it is there
UniqueFd make_locked_file(const fs::path& directory, fs::path& file) {
  // Another process's end may remove the empty directories, or a purge the file, just now.
  constexpr int kAttempts = 100;
  constexpr mode_t kReadableForAll = 0755;
  constexpr mode_t kOwnersOnly = 0700;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::error_code retried;
    fs::create_directories(directory.parent_path().parent_path(), retried);
    make_directory(directory.parent_path(), kReadableForAll);
    make_directory(directory, kOwnersOnly);
    std::string name = (directory / "XXXXXX").string();
    UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd) {
      if (errno == ENOENT) continue;
      throw SystemError(fmt::format("make a file in '{}'", directory.string()));
    }
    file = name;
    while (::flock(fd.get(), LOCK_EX) != 0) {
      if (errno != EINTR) throw SystemError(fmt::format("lock '{}'", name));
    }
    if (has_name(fd.get())) return fd;
    file.clear();
  }
  throw Error(fmt::format("make a file in '{}': it vanishes each time", directory.string()));
}

void remove_if_empty(const fs::path& directory) noexcept { static_cast<void>(::rmdir(directory.c_str())); }

bool is_of_caller(const struct stat& status) { return status.st_uid == ::geteuid(); }

/// Whether nobody else can have written it.
bool is_trusted(int record) {
  struct stat status {};
  return ::fstat(record, &status) == 0 && S_ISREG(status.st_mode) && is_of_caller(status) &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 && status.st_nlink > 0;
}

/// @return what has been removed, empty: nothing
std::string remove_abandoned(const fs::path& record, fs::path (*translate)(const fs::path&)) {
  const UniqueFd fd(::open(record.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd || !is_trusted(fd.get()) || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 || !has_name(fd.get())) return {};
  const fs::path written = read_all(fd.get(), record.native());
  const std::string name = written.filename().string();
  std::string removed;
  if (written.is_absolute() && name.starts_with(kPrefix) && name.ends_with("-" + record.filename().string())) {
    const fs::path directory = translate != nullptr ? translate(written) : written;
    struct stat status {};
    if (::lstat(directory.c_str(), &status) != 0) {
      if (errno != ENOENT && errno != ENOTDIR) throw SystemError(fmt::format("look for '{}'", directory.string()));
    } else if (S_ISDIR(status.st_mode) && is_of_caller(status)) {
      // Its process may have been killed before it had made it, and the place is open to all.
      remove_tree(directory);
      removed = fmt::format("'{}'", written.string());
    }
  }
  ::unlink(record.c_str());
  return removed;
}

}  // namespace

OwnedTempDir::OwnedTempDir(std::string_view what, const Paths& paths)
    : record_(what, paths), directory_(record_.make_directory()) {}

OwnedTempDir::Record::Record(std::string_view what, const Paths& paths) {
  std::error_code code;
  const fs::path parent = fs::absolute(fs::temp_directory_path(code), code);
  if (code) {
    SystemError error("find a place for temporary files", code.value());
    error.set_hint("TMPDIR names it");
    throw error;
  }
  directory_ = parent / fmt::format("{}{}-", kPrefix, what);
  try {
    lock_ = make_locked_file(paths.temporary(), file_);
    fs::path named = directory_;
    named += file_.filename();
    write_all(lock_.get(), named.native(), file_.native());
    directory_ = std::move(named);
  } catch (const std::exception& error) {
    log(LogLevel::debug, fmt::format("a temporary directory that stays if this process is killed: {}", error.what()));
    forget();
  }
}

OwnedTempDir::Record::~Record() { forget(); }

void OwnedTempDir::Record::forget() noexcept {
  if (!file_.empty()) {
    ::unlink(file_.c_str());
    remove_if_empty(file_.parent_path());
    remove_if_empty(file_.parent_path().parent_path());
  }
  file_.clear();
  lock_.reset();
}

TempDir OwnedTempDir::Record::make_directory() const {
  return lock_ ? TempDir::make(directory_) : TempDir(directory_.filename().string(), directory_.parent_path());
}

std::vector<std::string> remove_abandoned_temp_dirs(const Paths& paths, fs::path (*translate)(const fs::path&)) {
  std::vector<std::string> removed;
  std::error_code code;
  for (fs::directory_iterator record(paths.temporary(), code); !code && record != fs::directory_iterator();
       record.increment(code)) {
    try {
      if (std::string what = remove_abandoned(record->path(), translate); !what.empty()) {
        removed.push_back(std::move(what));
      }
    } catch (const Error& error) {
      log(LogLevel::warning, fmt::format("removing a temporary directory of a dead process: {}", error.what()));
    }
  }
  remove_if_empty(paths.temporary());
  return removed;
}

}  // namespace mayfly
