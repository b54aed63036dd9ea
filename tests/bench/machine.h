#pragma once

#include <string>

namespace mayfly::bench {

/// What figures have to be read with: "2 x Some CPU, 23 GiB memory, Linux 6.18.5, Debian GNU/Linux 12 (bookworm),
/// release build, load 0.12".
[[nodiscard]] std::string describe_machine();

}  // namespace mayfly::bench
