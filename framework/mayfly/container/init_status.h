#pragma once

#include <string>

#include "mayfly/container/container_spec.h"

namespace mayfly {

/// What a monitor process leaves for its keeper when it ends. Lies in memory that both share.
struct MonitorResult {
  bool ran = false;        ///< liblxc's start() succeeded: init was executed, and has ended since
  int init_status = 0;     ///< lxc_container::error_num then
  char failure[512] = {};  ///< what failed before liblxc came to a word; empty otherwise
};

/// How init ended, from `lxc_container::error_num`: "exited with status 3", "was killed by signal 9 (Killed)".
[[nodiscard]] std::string describe_init_status(int init_status);

/// Whether init's end was the machine's own doing: reboot(2) in a pid namespace kills its process 1 by SIGINT.
[[nodiscard]] bool powered_itself_off(int init_status);

/// The last lines of liblxc's log without the columns that say nothing to a reader (time, source line), and without
/// warnings where there are errors.
[[nodiscard]] std::string readable_lxc_log(const std::string& log, std::size_t lines = 12);

/// The reason, and below it the last lines of the console, or of liblxc's log where the console says nothing:
/// ```
/// init exited with status 3
///   last lines of its console:
///     cannot find /etc/app.conf
/// ```
[[nodiscard]] std::string describe(const ContainerExit& exit);

}  // namespace mayfly
