#pragma once

#include <filesystem>
#include <string_view>

namespace mayfly {

/// How this process's bodies (see body.h), and the programs of the host that it runs in containers, are debugged. A
/// test framework sets it.
struct BodyDebugging {
  /// stop_body() stops a body, and so does its crash and its deadline, until a person lets it go on. Meanwhile the
  /// deadline doesn't run; nor ever after, when that person was in a debugger.
  bool stop = false;
  /// Where gdb's report goes of what dies by a signal or at its deadline, when gdb is on the host and `stop` isn't set:
  /// `body-1.gdb.txt`, `<program>-1.gdb.txt`. Empty: nowhere.
  std::filesystem::path artifacts{};
  std::filesystem::path artifacts_later{};  ///< what BodyEnd::saved calls `artifacts`, which will be renamed
  bool cores = false;                       ///< with a core file, `body-1.core.zst` (without zstd(1): `body-1.core`)
};

/// For bodies that begin from now on.
void set_body_debugging(BodyDebugging debugging);
[[nodiscard]] BodyDebugging body_debugging();

/// In a body: where BodyDebugging::stop is set, tells the caller why, which tells its user, and waits to go on.
/// @return false when this isn't a body's process, or isn't to stop
bool stop_body(std::string_view why);

}  // namespace mayfly
