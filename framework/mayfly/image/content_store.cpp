#include "mayfly/image/content_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include "mayfly/image/entry_lease.h"
#include "mayfly/image/key_lock.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

constexpr mode_t kRootOnly = 0700;

[[noreturn]] void throw_unusable(const fs::path& directory, int code) {
  SystemError error(fmt::format("create directory '{}'", directory.string()), code);
  error.set_hint(code == ENOSPC ? "the store is full: free space there, or set MAYFLY_STORE_DIR to another place"
                                : "MAYFLY_STORE_DIR names another place for the store");
  throw error;
}

void create_directories_for_root(const fs::path& directory) {
  if (::mkdir(directory.c_str(), kRootOnly) == 0 || errno == EEXIST) {
    return;
  }
  if (errno == ENOENT) {
    std::error_code code;
    fs::create_directories(directory.parent_path(), code);
    if (code) {
      throw_unusable(directory.parent_path(), code.value());
    }
    if (::mkdir(directory.c_str(), kRootOnly) == 0 || errno == EEXIST) {
      return;
    }
  }
  throw_unusable(directory, errno);
}

/// Without this a power cut within the next half minute would leave an entry with empty files under its final name.
void sync_file_system(const fs::path& path) {
  const UniqueFd fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (::syncfs(fd.get()) != 0) {
    throw SystemError(fmt::format("sync the file system of '{}'", path.string()));
  }
}

void hint_at_full_store(SystemError& error, const fs::path& store) {
  if ((error.code() == ENOSPC || error.code() == EDQUOT) && error.hint().empty()) {
    error.set_hint(fmt::format("the store '{}' is full: free space there, or set MAYFLY_STORE_DIR to another place",
                               store.string()));
  }
}

}  // namespace

ContentStore::ContentStore(Paths paths, fs::path directory)
    : paths_(std::move(paths)), directory_(std::move(directory)) {
  for (const fs::path& needed : {directory_, paths_.staging(), paths_.locks()}) {
    create_directories_for_root(needed);
  }
}

std::optional<fs::path> ContentStore::find(std::string_view key, const BuildScope& scope) const {
  fs::path entry = directory_ / key;
  std::optional<UniqueFd> lease = lease_entry(entry);
  if (!lease) {
    return std::nullopt;
  }
  // A read-only store has entries all the same.
  if (::futimens(lease->get(), nullptr) != 0 && errno != EROFS && errno != EACCES && errno != EPERM) {
    throw SystemError(fmt::format("mark '{}' as used", entry.string()));
  }
  scope.hold(entry, *std::move(lease));
  return entry;
}

fs::path ContentStore::ensure(std::string_view key, const BuildScope& scope, const Progress& progress,
                              const Builder& build) {
  if (std::optional<fs::path> entry = find(key, scope)) {
    return *std::move(entry);
  }
  try {
    const KeyLock lock(paths_.locks() / key, progress);
    if (std::optional<fs::path> entry = find(key, scope)) {
      return *std::move(entry);
    }
    remove_stale_staging(key);
    return build_entry(key, scope, build);
  } catch (SystemError& error) {
    hint_at_full_store(error, paths_.store);
    throw;
  }
}

fs::path ContentStore::build_entry(std::string_view key, const BuildScope& scope, const Builder& build) {
  // A name of this process's own: a keeper that purges what a dead session staged under this key must not meet ours.
  const fs::path staging = paths_.staging() / fmt::format("{}.{}", key, ::getpid());
  const fs::path entry = directory_ / key;
  scope.own(staging);
  try {
    if (::mkdir(staging.c_str(), kRootOnly) != 0) {
      throw SystemError(fmt::format("create directory '{}'", staging.string()));
    }
    build(staging);
    sync_file_system(staging);
    // Held before it can be seen.
    std::optional<UniqueFd> lease = lease_entry(staging);
    if (::rename(staging.c_str(), entry.c_str()) != 0) {
      throw SystemError(fmt::format("publish '{}'", entry.string()));
    }
    if (lease) {
      scope.hold(entry, *std::move(lease));
    }
  } catch (...) {
    try {
      remove_tree(staging);
      scope.disown(staging);
    } catch (const std::exception& error) {
      // It stays the session's: the keeper tries again at the end.
      log(LogLevel::warning, fmt::format("remove a failed build (best effort): {}", error.what()));
    }
    throw;
  }
  scope.disown(staging);
  return entry;
}

void ContentStore::remove_stale_staging(std::string_view key) const {
  // Whoever staged this key and doesn't hold its lock any more is dead.
  const std::string prefix = fmt::format("{}.", key);
  std::error_code code;
  fs::directory_iterator staged(paths_.staging(), code);
  for (; !code && staged != fs::directory_iterator(); staged.increment(code)) {
    if (staged->path().filename().string().starts_with(prefix)) {
      remove_tree(staged->path());
    }
  }
  if (code) {
    throw SystemError(fmt::format("list '{}'", paths_.staging().string()), code.value());
  }
}

void write_recipe(const fs::path& entry, std::string_view what) {
  write_file(entry / "recipe.json", boost::json::serialize(boost::json::object{{"what", what}}) + "\n");
}

}  // namespace mayfly
