#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "mayfly/support/subprocess.h"

namespace mayfly::detail {

/// What a child gets as its standard descriptors; stays the caller's.
struct ChildStreams {
  int in = -1;
  int out = -1;
  int err = -1;
};

/// Forks and executes `program`; returns once the new program runs. The child leads a process group of its own, dies
/// with the calling thread, and starts with no blocked and no ignored signals.
///
/// Used instead of Boost.Process's own launcher, whose status pipe has no O_CLOEXEC (it can leak into a container that
/// another thread starts at that moment) and whose child runs exit(), so atexit handlers and static destructors of the
/// test process, when exec fails.
/// @throws SystemError that names the step that failed in the child
[[nodiscard]] pid_t spawn(const std::filesystem::path& program, const std::vector<std::string>& argv,
                          const ProcessOptions& options, const ChildStreams& streams);

}  // namespace mayfly::detail
