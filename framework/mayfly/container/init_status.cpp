#include "mayfly/container/init_status.h"

#include <fmt/format.h>

#include <csignal>
#include <cstring>
#include <sstream>
#include <utility>

#include "mayfly/support/subprocess.h"

namespace mayfly {

std::string describe_init_status(int init_status) {
  // signal_handler() in liblxc's start.c: the exit status in the second byte, or the signal there and 0x7f in the
  // first.
  const int value = (init_status >> 8) & 0xff;
  if ((init_status & 0x7f) != 0x7f) {
    return fmt::format("exited with status {}", value);
  }
  const char* name = sigdescr_np(value);
  return fmt::format("was killed by signal {} ({})", value, name != nullptr ? name : "unknown");
}

bool powered_itself_off(int init_status) { return init_status == (SIGINT << 8 | 0x7f); }

std::string readable_lxc_log(const std::string& log, std::size_t lines) {
  std::string errors;
  std::string warnings;
  std::istringstream in(log);
  for (std::string line; std::getline(in, line);) {
    // lxc 20261122184508.974 ERROR    start - ../src/lxc/start.c:start:2197 - No such file or directory - Failed to
    // exec "/x"
    std::istringstream columns(line);
    std::string program, time, level, category, dash, place;
    columns >> program >> time >> level >> category >> dash >> place >> dash;
    std::string text;
    std::getline(columns >> std::ws, text);
    if (program != "lxc" || text.empty()) {
      errors += line + "\n";
    } else {
      (level == "WARN" ? warnings : errors) += fmt::format("{}: {}\n", category, text);
    }
  }
  return tail(errors.empty() ? warnings : errors, lines);
}

std::string describe(const ContainerExit& exit) {
  const bool has_console = !exit.console_tail.empty();
  std::string text = exit.reason;
  std::istringstream lines(has_console ? exit.console_tail : exit.lxc_log_tail);
  const char* title = has_console ? "its console" : "liblxc's log";
  for (std::string line; std::getline(lines, line);) {
    // A terminal ends its lines with both.
    line.erase(line.find_last_not_of(" \r\t") + 1);
    if (line.empty()) {
      continue;
    }
    if (title != nullptr) {
      text += fmt::format("\n  last lines of {}:", std::exchange(title, nullptr));
    }
    text += "\n    " + line;
  }
  return text;
}

}  // namespace mayfly
