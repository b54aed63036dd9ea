#pragma once

#include <string>
#include <string_view>

namespace mayfly {

/// A unified diff with three lines of context, without a header; empty for equal texts, and for texts whose differing
/// parts are too long to be compared (`most_lines` each).
/// ```
/// @@ -1,3 +1,3 @@
///  user www-data;
/// -worker_processes 4;
/// +worker_processes auto;
///  pid /run/nginx.pid;
/// ```
/// Past `most_shown` lines it ends with "... 12 more lines".
[[nodiscard]] std::string unified_diff(std::string_view before, std::string_view after, std::size_t most_lines = 1'000,
                                       std::size_t most_shown = 40);

}  // namespace mayfly
