#include "mayfly/session/processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>

#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// The last number of a `NSpid:` line: the pid in the innermost namespace. Nothing for a line that isn't there.
std::optional<long> innermost_pid(const std::string& status) {
  std::istringstream lines(status);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("NSpid:")) {
      return std::stol(line.substr(line.find_last_of('\t') + 1));
    }
  }
  return std::nullopt;
}

std::string state_of(const std::string& status) {
  const std::size_t at = status.find("State:\t");
  return at == std::string::npos ? "?" : status.substr(at + 7, 1);
}

std::string command_of(const std::filesystem::path& process) {
  std::string command = read_file_if_exists(process / "cmdline").value_or("");
  std::replace(command.begin(), command.end(), '\0', ' ');
  if (command.empty()) {
    std::string name = read_file_if_exists(process / "comm").value_or("?");
    name.erase(std::remove(name.begin(), name.end(), '\n'), name.end());
    command = fmt::format("[{}]", name);
  }
  return command;
}

}  // namespace

std::map<long, RunningProcess> processes_of(const Target& target) {
  const auto pid_namespace = [](const std::filesystem::path& process) {
    std::error_code gone;
    return std::filesystem::read_symlink(process / "ns/pid", gone);
  };
  const std::filesystem::path ours = pid_namespace(fmt::format("/proc/{}", target.init_pid()));
  std::map<long, RunningProcess> processes;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (ours.empty() || name.find_first_not_of("0123456789") != std::string::npos || pid_namespace(entry) != ours) {
      continue;
    }
    // A process may end between any two of these reads; it is left out then.
    const std::optional<std::string> status = read_file_if_exists(entry.path() / "status");
    const std::optional<long> pid = status ? innermost_pid(*status) : std::nullopt;
    if (pid) {
      processes[*pid] = {.state = state_of(*status), .command = command_of(entry.path())};
    }
  }
  return processes;
}

std::string list_processes(const Target& target) {
  std::string table = "    PID STATE COMMAND\n";
  for (const auto& [pid, process] : processes_of(target)) {
    table += fmt::format("{:>7} {}     {}\n", pid, process.state, process.command);
  }
  return table;
}

}  // namespace mayfly
