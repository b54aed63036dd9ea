#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/support/unique_fd.h"
#include "mayfly/support/units.h"

namespace mayfly::test {

/// A program with a process group of its own, started to be killed. Its standard output and error come through one
/// pipe.
class Victim {
 public:
  /// @param env added to this process's
  Victim(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env,
         const std::filesystem::path& cwd);
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  ~Victim();

  /// Waits until it has written the text. @return false when it ended without, or after half a minute
  bool says(std::string_view text);
  /// Looks again and again whether the condition holds. @return false when it has ended, or after half a minute
  bool reaches(const std::function<bool()>& condition);

  void kill(int signal) const;
  void kill_group(int signal) const;
  /// Waits for its end. @return its exit code, 128 + n when signal n ended it
  int wait();
  /// All that it has written; after wait().
  [[nodiscard]] const std::string& output() const noexcept { return output_; }

 private:
  /// @return false at the end
  bool read_more(Milliseconds at_most);
  [[nodiscard]] bool ended() const;

  pid_t pid_ = -1;
  UniqueFd pipe_;
  std::string output_{};
};

}  // namespace mayfly::test
