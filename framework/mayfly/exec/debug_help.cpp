#include "mayfly/exec/debug_help.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <exception>

#include "mayfly/exec/debug_wait.h"
#include "mayfly/exec/files.h"
#include "mayfly/exec/gdb.h"
#include "mayfly/exec/proc_text.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

/// The command for a shell in a container; why there is none otherwise.
std::string shell_command(const Target& container) {
  try {
    for (const char* shell : {"bash", "sh"}) {
      if (file_status(container, fmt::format("/bin/{}", shell))) {
        return shell_quote(
                   {find_shipped("mayfly-enter").string(), "--init", std::to_string(container.init_pid()), "--env"}) +
               fmt::format(" TERM=\"$TERM\" -- {}", shell);
      }
    }
    return fmt::format("none: the container of process {} has no shell", container.init_pid());
  } catch (const std::exception& error) {
    return fmt::format("none: {}", error.what());
  }
}

std::string first_lines(std::string_view text) {
  constexpr int kMost = 12;
  std::string lines;
  for (int count = 0; !text.empty(); ++count) {
    if (count == kMost) return lines + "    ...\n";
    lines += fmt::format("    {}\n", take_line(text));
  }
  return lines;
}

}  // namespace

std::string debugging_help(std::string_view what, pid_t pid, const std::vector<Target>& containers,
                           bool shares_memory) {
  std::string text =
      fmt::format("[ STOPPED  ] Process {} of this host waits to be looked at:\n{}", pid, first_lines(what)) +
      fmt::format("  gdb:    {}\n", shell_quote(gdb_command(pid)));
  for (const Target& container : containers) {
    text += fmt::format("  shell:  {}\n", shell_command(container));
  }
  // What gdb breaks at by itself, the loading of libraries, it leaves in shared memory when the process ends.
  return text + fmt::format("  go on:  {}{}, or kill -CONT {}\n", own_terminal() < 0 ? "" : "Enter here, ",
                            shares_memory ? "with gdb detached" : "continue in gdb", pid);
}

void print_to_person(std::string_view text) {
  try {
    write_all(STDERR_FILENO, text, "standard error");
    if (::isatty(STDERR_FILENO) == 0) {
      const UniqueFd terminal(::open("/dev/tty", O_WRONLY | O_NOCTTY | O_CLOEXEC));
      if (terminal) write_all(terminal.get(), text, "the terminal");
    }
  } catch (const SystemError&) {
    return;  // nobody reads it
  }
}

void stop_here(std::string_view what, const std::vector<Target>& containers) {
  const UniqueFd told(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!told) {
    throw SystemError("make an eventfd");
  }
  print_to_person(debugging_help(what, ::getpid(), containers, false));
  const int terminal = own_terminal();
  while (true) {
    switch (wait_to_go_on(told.get(), terminal, -1)) {
      case GoOn::told:
      case GoOn::late:
        return;
      case GoOn::interrupted:
        if (is_traced(::getpid())) return;
        break;
      case GoOn::by_terminal:
        take_terminal_line();
        return;
    }
  }
}

}  // namespace mayfly
