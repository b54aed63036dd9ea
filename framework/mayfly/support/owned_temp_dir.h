#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A TempDir that goes even when its process is killed. Its path stands in a file of Paths::temporary(), locked
/// (flock(2)) as long as the process lives; what nobody holds is removed with dead sessions: when a session of the same
/// runtime directory begins or ends, or by `mayfly gc`. For what isn't a session's, whose own directory takes its files
/// along.
///
/// Who may not write to the runtime directory, without root usually, has a TempDir and no more.
class OwnedTempDir {
 public:
  /// Makes `<system's temporary directory>/mayfly-<what>-XXXXXX`. @throws SystemError
  explicit OwnedTempDir(std::string_view what, const Paths& paths = Paths::from_environment());
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return directory_.path(); }

 private:
  /// That `directory` is to be removed with this process; without a lock nobody knows.
  class Record {
   public:
    Record(std::string_view what, const Paths& paths);
    Record(const Record&) = delete;
    Record& operator=(const Record&) = delete;
    ~Record();
    /// @throws SystemError
    [[nodiscard]] TempDir make_directory() const;

   private:
    void forget() noexcept;

    std::filesystem::path file_;
    UniqueFd lock_;
    std::filesystem::path directory_;  ///< without a lock what its name begins with
  };

  Record record_;
  TempDir directory_;  ///< goes before the record does
};

/// Removes directories of dead processes, those of the caller's user alone. Failures are logged, and tried again next
/// time.
/// @param translate where a path of the host is for the caller; null: there
/// @return what has been removed, as lines for people
std::vector<std::string> remove_abandoned_temp_dirs(
    const Paths& paths, std::filesystem::path (*translate)(const std::filesystem::path&) = nullptr);

}  // namespace mayfly
