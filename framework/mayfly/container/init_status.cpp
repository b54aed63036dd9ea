#include "mayfly/container/init_status.h"

#include <fmt/format.h>

#include <cstring>
#include <sstream>

#include "mayfly/support/subprocess.h"

namespace mayfly {

std::string describe_init_status(int init_status) {
  // signal_handler() in liblxc's start.c: the exit status in the second byte, or the signal there and 0x7f in the first.
  const int value = (init_status >> 8) & 0xff;
  if ((init_status & 0x7f) != 0x7f) {
    return fmt::format("exited with status {}", value);
  }
  const char* name = sigdescr_np(value);
  return fmt::format("was killed by signal {} ({})", value, name != nullptr ? name : "unknown");
}

std::string readable_lxc_log(const std::string& log, std::size_t lines) {
  std::string plain;
  std::istringstream in(log);
  for (std::string line; std::getline(in, line);) {
    // "lxc web-1 20261122181754.123 ERROR    start - ../src/lxc/start.c:start:2161 - No such file or directory - Failed ..."
    std::istringstream columns(line);
    std::string program, container, time;
    columns >> program >> container >> time;
    std::string rest;
    std::getline(columns >> std::ws, rest);
    plain += program == "lxc" && !rest.empty() ? rest : line;
    plain += '\n';
  }
  return tail(plain, lines);
}

}  // namespace mayfly
