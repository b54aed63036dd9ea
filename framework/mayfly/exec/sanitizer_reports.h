#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mayfly/exec/host_program.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// The reports of a sanitizer (AddressSanitizer and its kin) in a program of the host that runs in a container. There
/// it finds no file that it could read functions and lines from; so it writes its report to a file system in memory
/// that only its descriptor leads to, and they are added here.
class SanitizerReports {
 public:
  /// Null when the program has no sanitizer.
  /// @throws SystemError
  [[nodiscard]] static std::shared_ptr<SanitizerReports> of_program(const HostProgram& program);

  /// Adds "symbolize=0:log_path=PATH/report" to ASAN_OPTIONS and the like, unless one of them has a log_path.
  /// @param environment "NAME=value"
  /// @param path of the file system, for the program
  static void add_to(std::vector<std::string>& environment, const std::string& path);
  [[nodiscard]] const UniqueFd& tree() const noexcept { return tree_; }

  /// Once the program has ended: what was reported, with places in the source. Empty: nothing.
  [[nodiscard]] std::string take() const noexcept;

 private:
  SanitizerReports(std::map<std::string, std::filesystem::path> shown_as, UniqueFd tree)
      : shown_as_(std::move(shown_as)), tree_(std::move(tree)) {}
  std::map<std::string, std::filesystem::path> shown_as_;
  UniqueFd tree_;
};

}  // namespace mayfly
