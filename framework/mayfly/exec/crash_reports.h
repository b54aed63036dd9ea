#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/body_debugging.h"
#include "mayfly/exec/host_program.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// Where a program of the host in a container dies by a signal: its own dynamic loader loads libmayfly-crash.so with it
/// (`ld.so --preload`), which writes that to a file system in memory that only its descriptor leads to. Where
/// BodyDebugging asks for gdb's report, the dying program waits for it.
class CrashReports {
 public:
  /// Changes how the program is started.
  /// @return null for a static program, which has no loader
  /// @throws SystemError
  [[nodiscard]] static std::shared_ptr<CrashReports> of_program(HostProgram& program);

  /// Becomes readable when the program waits to be looked at; doesn't block. None once it has been, and where it never
  /// waits.
  [[nodiscard]] const UniqueFd& waits() const noexcept { return waits_; }
  /// Saves gdb's report, and lets the program die. Once: whatever else is in the container may write to that pipe, too.
  /// Never throws: what can't be had is said in the log.
  /// @return whether it has taken its time
  bool look(pid_t pid) noexcept;
  /// The same of one that hangs, and is going to be killed.
  bool look_late(pid_t pid) noexcept;

  /// Once the program has ended: where it was, and where gdb's report is; empty when it told of no crash.
  /// ```
  /// mayfly: 'client_test' was killed by SIGSEGV (Segmentation fault); it was here:
  ///   #0 parse(char const*) at client_test.cpp:42 (client_test+0x1a2b)
  /// all threads with their variables: /build/mayfly-artifacts/client_test.Parses/client_test-1.gdb.txt
  /// ```
  [[nodiscard]] std::string take() noexcept;

 private:
  explicit CrashReports(const HostProgram& program);
  void make_it_wait(HostProgram& program);
  [[nodiscard]] bool is_the_program(pid_t pid) const;
  void save_report(pid_t pid);
  [[nodiscard]] std::string told() const;

  std::filesystem::path program_;
  std::filesystem::path loader_;
  std::string argv0_;  ///< the program's own name for itself
  std::map<std::string, std::filesystem::path> shown_as_;
  BodyDebugging settings_ = body_debugging();
  UniqueFd tree_;
  UniqueFd waits_;
  UniqueFd go_on_;
  bool saves_ = false;
  bool looked_ = false;
  std::string saved_{};
};

/// Where an object file has been mapped by a process, from `/proc/PID/maps` (proc(5)): by the last part of its path,
/// since a mount that is attached nowhere has no more. 0: nowhere.
[[nodiscard]] std::uintptr_t mapped_at(std::string_view maps, const std::string& file_name);

}  // namespace mayfly
