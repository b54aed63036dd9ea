#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// The start of the command line that runs a script, as the kernel would take it from the first line (execve(2)): the
/// interpreter and at most one argument; `/bin/sh -e` for a script without `#!`. Done here, so that neither the
/// script's mode nor a /run that is mounted noexec matters.
[[nodiscard]] std::vector<std::string> interpreter_of(std::string_view script);

}  // namespace mayfly
