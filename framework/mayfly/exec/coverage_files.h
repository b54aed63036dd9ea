#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// The coverage data of a program of the host that runs in a container. It writes them to a file system in memory that
/// only its descriptor leads to, and nothing leads out of; from there they go where they would have gone on the host.
class CoverageFiles {
 public:
  /// Null when neither the program nor a library of the user's that it is linked with counts anything (see
  /// coverage_counters.h), or its environment already says where its files are to go.
  /// @param files the program, then its libraries
  /// @throws SystemError
  [[nodiscard]] static std::shared_ptr<CoverageFiles> of_program(const std::vector<std::filesystem::path>& files,
                                                                 const std::vector<std::string>& environment);
  ~CoverageFiles();
  CoverageFiles(const CoverageFiles&) = delete;
  CoverageFiles& operator=(const CoverageFiles&) = delete;

  /// For the program, which finds the file system at `path`: GCOV_PREFIX and LLVM_PROFILE_FILE.
  [[nodiscard]] static std::vector<std::string> environment(const std::string& path);
  [[nodiscard]] const UniqueFd& tree() const noexcept { return tree_; }

  /// Once the program has ended: gcov's data are added to those beside the notes (.gcno) that the compiler wrote, if
  /// the program itself names that place, and nowhere else; LLVM's become files of their own in the directory of
  /// $LLVM_PROFILE_FILE, or in the current one. What can't be added is said as a warning.
  void collect() noexcept;

 private:
  CoverageFiles(std::string program, std::vector<std::filesystem::path> programs, UniqueFd tree)
      : program_(std::move(program)), programs_(std::move(programs)), tree_(std::move(tree)) {}
  std::string program_;
  std::vector<std::filesystem::path> programs_;  ///< it and its libraries, as far as they count
  UniqueFd tree_;
};

}  // namespace mayfly
