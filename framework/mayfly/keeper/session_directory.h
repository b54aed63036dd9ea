#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/keeper/client.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A session's directory as its keeper holds it (see Paths for what is in it). It is visible under its name only with a
/// locked lease in it, so that nobody ever takes a living session for a dead one.
///
/// The lock is fcntl(2)'s, which a fork doesn't inherit and which goes when the process closes *any* descriptor of the
/// file: a keeper must never open its own lease again.
class SessionDirectory {
 public:
  SessionDirectory(Paths paths, std::string id);

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  void write_owner(pid_t owner, const std::string& command) const;
  void write_container(const SessionInfo::ContainerInfo& container) const;
  void remove_container(std::string_view name) const;
  /// Notes that `owned` has to be removed with the session. @throws Error when it isn't absolute
  void own(const std::filesystem::path& owned) const;
  void disown(const std::filesystem::path& owned) const;
  /// Removes it all; and the directories above, when nothing else is in them.
  void remove();

 private:
  void make(const std::filesystem::path& directory);

  Paths paths_;
  std::string id_;
  std::filesystem::path path_;
  UniqueFd lease_;
};

/// Paths that the session in `directory` owns.
[[nodiscard]] std::vector<std::filesystem::path> owned_paths(const std::filesystem::path& directory);

/// Reads what a session directory says; `alive` is left false.
[[nodiscard]] SessionInfo read_session(const std::filesystem::path& directory);

/// The lease of `directory` if nobody holds it, locked; else nothing. A directory without a lease is one that is being
/// made, unless its maker (whose pid begins its id) is dead.
struct LeaseState {
  bool alive = false;
  UniqueFd locked{};
  pid_t keeper = -1;
};
[[nodiscard]] LeaseState take_lease(const std::filesystem::path& directory);

/// Removes `runtime/sessions` and `runtime` if they are empty.
void remove_empty_runtime(const Paths& paths);

}  // namespace mayfly
