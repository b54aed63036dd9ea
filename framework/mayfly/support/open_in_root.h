#pragma once

#include <cstdint>

namespace mayfly {

/// Opens a path as a process would whose root directory is `root`: no link and no `..` leads out (openat2(2) with
/// RESOLVE_IN_ROOT). While others rename and mount, the kernel can't always know that a `..` stayed below the root
/// (EAGAIN): then it is tried again.
/// @param flags of open(2); O_CLOEXEC is added
/// @param resolve more RESOLVE_* flags
/// @return a descriptor, or a negative errno
[[nodiscard]] int open_in_root(int root, const char* path, std::uint64_t flags, std::uint64_t resolve = 0) noexcept;

}  // namespace mayfly
