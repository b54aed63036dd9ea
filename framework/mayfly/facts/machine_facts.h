#pragma once

#include <string>
#include <vector>

#include "mayfly/exec/target.h"

namespace mayfly {

// What is true in a container beyond facts.h: processes, mounts, kernel settings, cron. Read from outside.

struct ProcessFact {
  struct Process {
    pid_t pid = 0;                     ///< as the host numbers it
    std::string user;                  ///< name from the container's /etc/passwd, else the number
    std::vector<std::string> command;  ///< its arguments, the program first
  };
  std::string name;
  std::vector<Process> processes;  ///< those of the name, zombies left out
  [[nodiscard]] bool running() const { return !processes.empty(); }
};
/// By name, as `ps -C` and pgrep(1) have it: the kernel's "comm". Longer names than its 15 characters are compared with
/// the arguments' first two as well (scripts).
[[nodiscard]] ProcessFact process(const Target& target, const std::string& name);

struct MountFact {
  std::string path;
  bool exists = false;  ///< something is mounted at exactly this path
  std::string source, filesystem;
  std::vector<std::string> options;  ///< of the mount and of its file system: "rw", "nosuid", "size=1024k"
};
/// The topmost mount at a path.
[[nodiscard]] MountFact mount(const Target& target, const std::string& path);

struct SysctlFact {
  std::string name;
  bool exists = false;
  std::string value;
};
/// @param name "net.ipv4.ip_forward"; with slashes as sysctl(8) has it where a part has a dot:
/// "net/ipv4/conf/eth0.1/..."
[[nodiscard]] SysctlFact sysctl(const Target& target, const std::string& name);

struct KernelParameterFact {
  std::string name;
  bool exists = false;
  std::string value;  ///< of the last one of the name; empty for a plain word
};
/// Of the command line the kernel was booted with: the host's.
[[nodiscard]] KernelParameterFact kernel_parameter(const Target& target, const std::string& name);

struct CronFact {
  struct Entry {
    std::string schedule;  ///< "0 3 * * *", "@daily"
    std::string user;
    std::string command;
    std::string file;
  };
  std::string command;
  std::vector<Entry> entries;  ///< those whose command contains it
  [[nodiscard]] bool exists() const { return !entries.empty(); }
};
/// From /etc/crontab, /etc/cron.d (names that cron(8) reads) and users' crontabs.
[[nodiscard]] CronFact cron(const Target& target, const std::string& command);

}  // namespace mayfly
