#pragma once

#include <gmock/gmock.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/profile/profile.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/host_snapshot.h"

namespace mayfly::test {

/// Something that goes wrong, in directories of its own. Afterwards nothing may be left: no process, no control group,
/// no mount, no session, no half-built image, no lock.
class Scenario : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Writes `<name>.toml` and returns its path.
  std::filesystem::path profile(std::string_view toml, const std::string& name = "web") const;

  /// Runs the mayfly command to its end; only warnings and errors are shown.
  [[nodiscard]] ProcessResult mayfly(const std::vector<std::string>& arguments, ProcessOptions options = {}) const;

  /// Runs it in a mount namespace in which `directory` is a file system of `size`. Standard output lists what is in
  /// that afterwards below its first level.
  [[nodiscard]] ProcessResult mayfly_on_small_disk(const std::filesystem::path& directory, const std::string& size,
                                                   const std::vector<std::string>& arguments) const;

  /// The environment in which programs use this scenario's directories.
  [[nodiscard]] std::map<std::string, std::string> environment() const;

  /// Compares what a user sees with `golden/<test's name>.txt`. What differs from run to run has a name there.
  void expect_seen(const ProcessResult& result, int exit_code) const;

  [[nodiscard]] std::filesystem::path directory() const { return temp_.path(); }
  [[nodiscard]] const Paths& paths() const { return paths_; }
  [[nodiscard]] const HostSnapshot& before() const { return before_; }
  /// What is left after a second. Reaps all children of this process.
  [[nodiscard]] std::vector<std::string> left() const;

 private:
  TempDir temp_{"mayfly-fault-"};
  Paths paths_{.runtime = temp_.path() / "run", .store = temp_.path() / "store"};
  HostSnapshot before_;
};

}  // namespace mayfly::test
