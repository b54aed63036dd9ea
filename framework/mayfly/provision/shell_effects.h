#pragma once

#include <string_view>

namespace mayfly {

// Which lines of a shell script are known to change nothing in the machine. Where it isn't known, a line may.

/// Whether a line writes to a file by itself (`>`, `>>`, `>|`), beside /dev/null and the script's own output and error.
/// Quoted text and comments don't count.
[[nodiscard]] bool writes_to_a_file(std::string_view line);

/// Whether what a line prints may end up in a file, though nothing on the line says so: a compound command or a
/// function of the script is redirected or piped (`done > file`, `greet | tee file`), or `exec` redirects all.
[[nodiscard]] bool keeps_what_is_printed(std::string_view script);

/// Whether a simple command, with its values as bash's trace has it, at most reads, prints and sets the shell's own
/// state: `[ -e /x ]`, `echo done`, `x=1`, `set -e`, `grep x /etc/y`. Its redirections aren't in a trace.
/// @param printing_counts false: what it prints goes nowhere but to the script's output
[[nodiscard]] bool only_looks(std::string_view command, bool printing_counts);

}  // namespace mayfly
