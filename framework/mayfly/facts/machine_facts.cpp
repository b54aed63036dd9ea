#include "mayfly/facts/machine_facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>
#include <optional>

#include "mayfly/exec/container_paths.h"
#include "mayfly/exec/files.h"
#include "mayfly/exec/proc_text.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/facts/databases.h"
#include "mayfly/facts/machine_texts.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr std::size_t kLongestComm = 15;  // TASK_COMM_LEN without its NUL

std::optional<std::string> text_of(const Target& target, const std::string& path) {
  const auto status = file_status(target, path);
  return status && S_ISREG(status->mode) ? std::optional(read_file(target, path)) : std::nullopt;
}

// The names in a container's directory, sorted; none when it isn't there.
std::vector<std::string> names_in(const Target& target, const std::string& path) {
  UniqueFd directory(open_in_root(target, path, O_RDONLY | O_DIRECTORY));
  if (!directory) return {};
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(directory.get()), ::closedir);
  if (!stream) throw SystemError(fmt::format("list '{}' in the container", path));
  static_cast<void>(directory.release());  // the stream's now
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> split_arguments(const std::string& cmdline) {
  std::vector<std::string> arguments;
  for (std::size_t start = 0; start < cmdline.size();) {
    const std::size_t end = std::min(cmdline.find('\0', start), cmdline.size());
    arguments.push_back(cmdline.substr(start, end - start));
    start = end + 1;
  }
  return arguments;
}

bool has_name(const std::vector<std::string>& arguments, const std::string& name) {
  return std::any_of(arguments.begin(), arguments.begin() + std::min<std::ptrdiff_t>(2, std::ssize(arguments)),
                     [&](const std::string& argument) { return std::filesystem::path(argument).filename() == name; });
}

// One process of the host, when it is the container's and has the name.
std::optional<ProcessFact::Process> look_at(const Target& target, const std::string& namespace_id, pid_t pid,
                                            const std::string& name, const std::string& passwd) {
  const std::filesystem::path proc = fmt::format("/proc/{}", pid);
  std::error_code gone;
  // A zombie has no namespaces any more.
  if (std::filesystem::read_symlink(proc / "ns/pid", gone) != namespace_id || gone) return std::nullopt;
  auto comm = read_file_if_exists(proc / "comm");
  if (!comm) return std::nullopt;
  if (comm->ends_with('\n')) comm->pop_back();
  if (*comm != name.substr(0, kLongestComm)) return std::nullopt;
  const auto status = read_file_if_exists(proc / "status");
  const auto cmdline = read_file_if_exists(proc / "cmdline");
  if (!status || !cmdline) return std::nullopt;
  ProcessFact::Process process{.pid = pid, .command = split_arguments(*cmdline)};
  if (name.size() > kLongestComm && !has_name(process.command, name)) return std::nullopt;
  // "Uid:\t<real>\t<effective>..."
  const std::string_view uids = status_field(*status, "Uid");
  const std::size_t effective = uids.find('\t');
  const unsigned long uid = std::stoul(std::string(uids.substr(effective == std::string_view::npos ? 0 : effective)));
  process.user = name_of_id(passwd, target.state().users.to_container(static_cast<std::uint32_t>(uid)));
  return process;
}

}  // namespace

ProcessFact process(const Target& target, const std::string& name) {
  ProcessFact fact{.name = name};
  std::error_code gone;
  const std::string namespace_id =
      std::filesystem::read_symlink(fmt::format("/proc/{}/ns/pid", target.init_pid()), gone);
  if (gone || target.dead()) throw_stopped();
  const std::string passwd = text_of(target, "/etc/passwd").value_or("");
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string file = entry.path().filename();
    if (file.empty() || std::isdigit(static_cast<unsigned char>(file.front())) == 0) continue;
    if (auto found = look_at(target, namespace_id, std::stoi(file), name, passwd)) {
      fact.processes.push_back(*std::move(found));
    }
  }
  std::sort(fact.processes.begin(), fact.processes.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });
  return fact;
}

MountFact mount(const Target& target, const std::string& path) {
  const auto mounts = read_file_if_exists(fmt::format("/proc/{}/mountinfo", target.init_pid()));
  if (!mounts || target.dead()) throw_stopped();
  return find_mount(*mounts, path);
}

SysctlFact sysctl(const Target& target, const std::string& name) {
  SysctlFact fact{.name = name};
  if (auto text = text_of(target, sysctl_path(name))) {
    fact.exists = true;
    while (text->ends_with('\n')) text->pop_back();
    fact.value = *std::move(text);
  }
  return fact;
}

KernelParameterFact kernel_parameter(const Target& target, const std::string& name) {
  return find_kernel_parameter(read_file(target, "/proc/cmdline"), name);
}

CronFact cron(const Target& target, const std::string& command) {
  std::vector<CronFact::Entry> all;
  const auto add = [&](const std::string& file, const std::string& user) {
    const auto text = text_of(target, file);
    for (CronFact::Entry& entry : parse_crontab(text.value_or(""), user, file)) all.push_back(std::move(entry));
  };
  add("/etc/crontab", "");
  for (const std::string& name : names_in(target, "/etc/cron.d")) {
    if (is_crontab_name(name)) add("/etc/cron.d/" + name, "");
  }
  for (const std::string& user : names_in(target, "/var/spool/cron/crontabs")) {
    add("/var/spool/cron/crontabs/" + user, user);
  }
  CronFact fact{.command = command};
  std::copy_if(all.begin(), all.end(), std::back_inserter(fact.entries),
               [&](const CronFact::Entry& entry) { return entry.command.find(command) != std::string::npos; });
  return fact;
}

}  // namespace mayfly
