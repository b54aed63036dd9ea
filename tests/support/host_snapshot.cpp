#include "tests/support/host_snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <thread>

#include "mayfly/container/cgroup.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly::test {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  try {
    return read_file_if_exists(file).value_or("");
  } catch (const Error&) {
    return {};  // a process that has just ended
  }
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::istringstream in(text_of(file));
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

struct Process {
  std::string pid;
  std::string parent;
  std::string name;
  char state = '?';
};

std::vector<Process> processes() {
  std::vector<Process> all;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(pid.front())) == 0) {
      continue;
    }
    const std::string stat = text_of(entry.path() / "stat");
    const std::size_t open = stat.find('(');
    const std::size_t close = stat.rfind(')');
    if (close == std::string::npos) {
      continue;
    }
    Process process{.pid = pid, .parent = {}, .name = stat.substr(open + 1, close - open - 1)};
    std::istringstream(stat.substr(close + 1)) >> process.state >> process.parent;
    all.push_back(std::move(process));
  }
  return all;
}

/// Keepers and pools of other runtime directories, which are an argument of theirs. Ids of sessions begin with their
/// keeper's pid.
std::set<std::string> foreign_keepers(const std::vector<Process>& all, const Paths& paths) {
  std::set<std::string> foreign;
  for (const Process& process : all) {
    if ((process.name == "mayfly-keeper" || process.name == "mayfly-pool") && process.state != 'Z' &&
        text_of("/proc/" + process.pid + "/cmdline").find('\0' + paths.runtime.string() + '\0') == std::string::npos) {
      foreign.insert(process.pid);
    }
  }
  return foreign;
}

bool is_foreign(const std::string& text, const std::set<std::string>& keepers) {
  return std::any_of(keepers.begin(), keepers.end(),
                     [&](const std::string& pid) { return text.find("/mayfly/" + pid + "-") != std::string::npos; });
}

void add_tree(const fs::path& directory, bool only_directories, std::set<std::string>& names) {
  std::error_code gone;
  for (auto entry = fs::recursive_directory_iterator(directory, gone); entry != fs::recursive_directory_iterator();
       entry.increment(gone)) {
    if (!only_directories || entry->is_directory(gone)) {
      names.insert(entry->path().string());
    }
  }
}

}  // namespace

HostSnapshot HostSnapshot::take(const Paths& paths) {
  HostSnapshot snapshot;
  std::set<std::string>& things = snapshot.things_;
  const std::vector<Process> all = processes();
  const std::set<std::string> foreign = foreign_keepers(all, paths);
  for (const Process& process : all) {
    const std::string cgroup = text_of("/proc/" + process.pid + "/cgroup");
    const bool ours = cgroup.find("/mayfly/") != std::string::npos ||
                      (process.name.starts_with("mayfly-") && process.name != "mayfly-enter") ||
                      process.name == "slirp4netns";
    if (!ours || foreign.contains(process.pid) || foreign.contains(process.parent) || is_foreign(cgroup, foreign) ||
        (process.state == 'Z' && process.parent == "1")) {
      continue;
    }
    things.insert(fmt::format("{} {} ({})", process.state == 'Z' ? "zombie" : "process", process.pid, process.name));
  }
  for (const std::string& line : lines_of("/proc/1/mountinfo")) {
    std::istringstream in(line);
    std::string id, parent, device, root, target;
    in >> id >> parent >> device >> root >> target;
    things.insert(fmt::format("mount {}{}", target, line.substr(line.find(" - "))));
  }
  for (const CgroupMount& mount : parse_cgroup_mounts(text_of("/proc/1/mountinfo"))) {
    const std::filesystem::path top = mount.path / "mayfly";
    std::set<std::string> names;
    add_tree(top, true, names);
    // The directory above all sessions may be another session's.
    if (foreign.empty() && fs::exists(top)) {
      names.insert(top.string());
    }
    for (const std::string& name : names) {
      if (!is_foreign(name, foreign)) {
        things.insert("control group " + name);
      }
    }
  }
  for (const std::string& line : lines_of("/proc/1/net/dev")) {
    if (const std::size_t colon = line.find(':'); colon != std::string::npos) {
      things.insert("interface " + line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' ')));
    }
  }
  for (const std::string& line : lines_of("/proc/1/net/route")) {
    things.insert("route " + line.substr(0, 40));
  }
  for (const std::string& line : lines_of("/proc/1/net/unix")) {
    if (const std::size_t name = line.find("@lxc/"); name != std::string::npos) {
      const bool others = std::any_of(foreign.begin(), foreign.end(), [&](const std::string& pid) {
        return line.find("/." + pid + "-") != std::string::npos;
      });
      if (!others) {
        things.insert("abstract socket " + line.substr(name));
      }
    }
  }
  std::set<std::string> files;
  add_tree("/run/lxc", false, files);
  add_tree(paths.runtime, false, files);
  add_tree(paths.staging(), false, files);
  for (const std::string& file : files) {
    things.insert("file " + file);
  }
  return snapshot;
}

std::vector<std::string> HostSnapshot::since(const HostSnapshot& before) const {
  std::vector<std::string> fresh;
  std::set_difference(things_.begin(), things_.end(), before.things_.begin(), before.things_.end(),
                      std::back_inserter(fresh));
  return fresh;
}

std::vector<std::string> leftovers(const HostSnapshot& before, const Paths& paths, Milliseconds within) {
  for (const Deadline deadline = Deadline::after(within);;) {
    std::vector<std::string> left = HostSnapshot::take(paths).since(before);
    if (left.empty() || deadline.passed()) {
      return left;
    }
    // Nothing tells that a mount or a control group has gone.
    std::this_thread::sleep_for(Milliseconds(5));
  }
}

}  // namespace mayfly::test
