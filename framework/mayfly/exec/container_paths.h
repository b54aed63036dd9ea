#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mayfly/exec/target.h"

namespace mayfly {

/// @throws Error when a container's path isn't absolute or has a NUL byte in it
void require_absolute(const std::string& path);

/// Opens a path below the container's root, as the container would resolve it, but never outside of it
/// (RESOLVE_IN_ROOT).
/// @return the descriptor, O_CLOEXEC, or -errno
[[nodiscard]] int open_in_root(const Target& target, const std::string& path, std::uint64_t flags);

/// `doing 'path' in the container: strerror(code)`; "container has stopped" when that is why.
[[noreturn]] void throw_file_error(const Target& target, std::string_view doing, const std::string& path, int code);

}  // namespace mayfly
