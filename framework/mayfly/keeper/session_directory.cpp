#include "mayfly/keeper/session_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <type_traits>
#include <utility>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace {

namespace json = boost::json;

constexpr std::string_view kUnfinished = ".new-";

/// @return whether the whole file could be locked
bool lock(int fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return fcntl(fd, F_SETLK, &whole) == 0;
}

pid_t leading_number(std::string_view text) {
  pid_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Makes directories that other sessions' ends remove when they are empty.
void make_parents(const std::filesystem::path& path) {
  std::error_code error;
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::filesystem::create_directories(path, error);
    if (!error) {
      return;
    }
  }
  throw SystemError(fmt::format("make directory '{}'", path.string()), error.value());
}

std::string owned_name(const std::filesystem::path& owned) {
  return Sha256().field(owned.string()).hex().substr(0, 32);
}

json::object parse_object(const std::filesystem::path& file) {
  // Half-written files can't be met (they are renamed into place), but a file may be gone at any moment.
  std::error_code error;
  const json::value value = json::parse(read_file_if_exists(file).value_or("{}"), error);
  return error || !value.is_object() ? json::object() : value.as_object();
}

template <typename T>
T field(const json::object& object, std::string_view key, T otherwise) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) {
    return otherwise;
  }
  if constexpr (std::is_same_v<T, std::string>) {
    return value->is_string() ? std::string(value->as_string()) : otherwise;
  } else {
    return value->is_number() ? value->to_number<T>() : otherwise;
  }
}

}  // namespace

SessionDirectory::SessionDirectory(Paths paths, std::string id) : paths_(std::move(paths)), id_(std::move(id)) {
  const std::filesystem::path unfinished = paths_.sessions() / (std::string(kUnfinished) + id_);
  try {
    make(unfinished);
    path_ = paths_.session(id_);
    if (rename(unfinished.c_str(), path_.c_str()) != 0) {
      throw SystemError(fmt::format("make session directory '{}'", path_.string()));
    }
  } catch (Error& error) {
    remove_tree(unfinished);
    remove_empty_runtime(paths_);
    error.set_hint("MAYFLY_RUNTIME_DIR names another place for the directories of sessions");
    throw;
  }
}

void SessionDirectory::make(const std::filesystem::path& directory) {
  // Another session's end may remove the parent just now.
  for (int attempt = 0; mkdir(directory.c_str(), 0755) != 0; ++attempt) {
    if (errno != ENOENT || attempt == 100) {
      throw SystemError(fmt::format("make session directory '{}'", directory.string()));
    }
    make_parents(paths_.sessions());
  }
  lease_ = open_file(directory / "lease", O_RDWR | O_CREAT | O_EXCL, 0644);
  if (!lock(lease_.get())) {
    throw SystemError(fmt::format("lock '{}'", (directory / "lease").string()));
  }
  write_all(lease_.get(), fmt::format("{}\n", getpid()), (directory / "lease").string());
  for (const char* below : {"containers", "owned"}) {
    if (mkdir((directory / below).c_str(), 0755) != 0) {
      throw SystemError(fmt::format("make directory '{}'", (directory / below).string()));
    }
  }
}

void SessionDirectory::write_owner(pid_t owner, const std::string& command) const {
  const json::object object{{"owner_pid", owner}, {"owner_command", command}, {"started_at", std::time(nullptr)}};
  write_file_atomically(path_ / "session.json", json::serialize(object));
}

void SessionDirectory::write_container(const SessionInfo::ContainerInfo& container) const {
  const json::object object{{"name", container.name},
                            {"profile", container.profile},
                            {"address", container.address},
                            {"init_pid", container.init_pid},
                            {"started_at", container.started_at}};
  write_file_atomically(path_ / "containers" / (container.name + ".json"), json::serialize(object));
}

void SessionDirectory::remove_container(std::string_view name) const {
  std::error_code gone;
  std::filesystem::remove(path_ / "containers" / fmt::format("{}.json", name), gone);
}

void SessionDirectory::own(const std::filesystem::path& owned) const {
  if (!owned.is_absolute() || owned == owned.root_path()) {
    throw Error(fmt::format("path '{}' can't be owned by a session: it isn't absolute", owned.string()));
  }
  write_file_atomically(path_ / "owned" / owned_name(owned), owned.string());
}

void SessionDirectory::disown(const std::filesystem::path& owned) const {
  std::error_code gone;
  std::filesystem::remove(path_ / "owned" / owned_name(owned), gone);
}

void SessionDirectory::remove() {
  remove_tree(path_);
  lease_.reset();
  remove_empty_runtime(paths_);
}

std::vector<std::filesystem::path> owned_paths(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator(directory / "owned", gone)) {
    // Names with a dot are write_file_atomically()'s, not renamed yet: what they name hasn't been created.
    const std::filesystem::path owned = read_file_if_exists(entry.path()).value_or("");
    if (owned.is_absolute() && owned != owned.root_path()) {
      paths.push_back(owned);
    }
  }
  return paths;
}

SessionInfo read_session(const std::filesystem::path& directory) {
  const json::object session = parse_object(directory / "session.json");
  SessionInfo info{.id = directory.filename().string(),
                   .keeper_pid = leading_number(read_file_if_exists(directory / "lease").value_or("")),
                   .owner_pid = field<pid_t>(session, "owner_pid", -1),
                   .owner_command = field<std::string>(session, "owner_command", ""),
                   .started_at = field<std::int64_t>(session, "started_at", 0)};
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator(directory / "containers", gone)) {
    if (entry.path().extension() != ".json") {
      continue;
    }
    const json::object container = parse_object(entry.path());
    info.containers.push_back({.name = field<std::string>(container, "name", entry.path().stem().string()),
                               .profile = field<std::string>(container, "profile", ""),
                               .address = field<std::string>(container, "address", ""),
                               .init_pid = field<pid_t>(container, "init_pid", -1),
                               .started_at = field<std::int64_t>(container, "started_at", 0)});
  }
  return info;
}

LeaseState take_lease(const std::filesystem::path& directory) {
  const std::string name = directory.filename().string();
  const bool unfinished = name.starts_with(kUnfinished);
  const pid_t maker = leading_number(std::string_view(name).substr(unfinished ? kUnfinished.size() : 0));
  const bool maker_lives = maker > 0 && (kill(maker, 0) == 0 || errno == EPERM);
  UniqueFd lease(open((directory / "lease").c_str(), O_RDWR | O_CLOEXEC));
  // Between making its lease and locking it, too, nobody may take a maker's directory for a dead one.
  if (!lease || (unfinished && maker_lives)) {
    return {.alive = maker_lives, .keeper = maker};
  }
  const pid_t keeper = leading_number(read_all(lease.get(), "lease"));
  if (!lock(lease.get())) {
    return {.alive = true, .keeper = keeper};
  }
  return {.alive = false, .locked = std::move(lease), .keeper = keeper};
}

void remove_empty_runtime(const Paths& paths) {
  (void)rmdir(paths.sessions().c_str());
  (void)rmdir(paths.runtime.c_str());
}

}  // namespace mayfly
