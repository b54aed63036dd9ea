#pragma once

#include <sys/types.h>

#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A child process that holds a new namespace until somebody has opened it. So the caller gets a descriptor of the
/// namespace and never enters it.
class NamespaceHolder {
 public:
  /// The first step that failed; `step` is a string literal.
  struct Failure {
    const char* step = nullptr;  ///< null: nothing failed
    int code = 0;
  };
  /// Runs in the child, in the new namespace. Async-signal-safe: the caller may have threads.
  using SetUp = Failure (*)() noexcept;

  /// @param clone_flag CLONE_NEWUSER, CLONE_NEWNET, ...
  /// @throws SystemError for a failed step: "create user namespace", or the set-up's own
  NamespaceHolder(int clone_flag, const char* step, SetUp set_up = nullptr);
  ~NamespaceHolder();
  NamespaceHolder(const NamespaceHolder&) = delete;
  NamespaceHolder& operator=(const NamespaceHolder&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// @param kind "user", "net", ... as in /proc/<pid>/ns
  [[nodiscard]] UniqueFd open(const char* kind) const;

 private:
  void end() noexcept;
  pid_t pid_ = -1;
};

}  // namespace mayfly
