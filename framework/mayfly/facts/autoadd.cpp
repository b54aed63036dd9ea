#include "mayfly/facts/autoadd.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include "mayfly/exec/command.h"
#include "mayfly/facts/facts.h"
#include "mayfly/facts/machine_facts.h"
#include "mayfly/facts/machine_texts.h"
#include "mayfly/facts/network_facts.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using Demands = std::vector<Demand>;
using Processes = std::vector<ProcessFact::Process>;

// What systemd needs at most.
constexpr Milliseconds kWithin{10'000};

std::string_view trimmed_end(std::string_view text) { return text.substr(0, text.find_last_not_of('\n') + 1); }

Demand is(std::string attribute, Value value) { return {std::move(attribute), {.value = std::move(value)}}; }

// A list that has these elements, among others.
Demand has(std::string attribute, const std::vector<std::string>& elements) {
  Expectation all{.op = Expectation::Operator::all};
  for (const std::string& element : elements) {
    all.inner.push_back({.op = Expectation::Operator::has_element, .inner = {{.value = element}}});
  }
  return {std::move(attribute), all.inner.size() == 1 ? all.inner.front() : all};
}

class Discovery {
 public:
  Discovery(const Target& target, const std::string& name) : target_(target), name_(name) {}

  std::vector<Check> run() {
    if (name_.starts_with('/')) {
      look_at_path(name_);
      look_at_mount();
    } else if (name_.find("://") != std::string::npos) {
      look_at_answer();
    } else {
      look_at_package();
      look_at_service();
      look_at_accounts();
      look_at_processes();
      look_at_kernel_and_network();
      for (const std::string& path : {"/etc/" + name_, "/etc/" + name_ + ".conf",
                                      "/etc/" + name_ + "/" + name_ + ".conf", "/etc/default/" + name_}) {
        look_at_path(path);
      }
    }
    return std::move(checks_);
  }

 private:
  void add(Resource resource, std::string subject, Demands demands) {
    checks_.push_back({.resource = resource, .subject = std::move(subject), .demands = std::move(demands)});
  }

  void look_at_path(const std::string& path) {
    const FileFact fact = file(target_, path);
    if (!fact.exists()) return;
    const Demand owner = is("owner", fact.owner);
    const Demand group = is("group", fact.group);
    const Demand mode = is("mode", std::int64_t{fact.status->mode & 07777});
    if (S_ISLNK(fact.status->mode)) {
      add(Resource::link, path, {is("target", fact.status->symlink_target)});
    } else if (S_ISDIR(fact.status->mode)) {
      add(Resource::directory, path, {is("exists", true), mode, owner, group});
    } else {
      add(Resource::file, path, {is("exists", true), mode, owner, group});
    }
  }

  void look_at_mount() {
    const MountFact fact = mount(target_, name_);
    if (fact.exists) add(Resource::mount, name_, {is("exists", true), is("fstype", fact.filesystem)});
  }

  void look_at_answer() {
    const HttpFact fact = http(target_, name_);
    if (fact.answers()) {
      add(Resource::http, name_, {is("answers", true), is("status", std::int64_t{fact.status})});
    }
  }

  void look_at_package() {
    if (!file_status(target_, "/var/lib/dpkg/status")) return;
    const PackageFact fact = package(target_, name_);
    if (fact.installed) add(Resource::package, name_, {is("installed", true), is("version", fact.version)});
  }

  void look_at_service() {
    if (!file_status(target_, "/run/systemd/system")) return;
    const ServiceFact fact = service(target_, name_);
    if (fact.exists) {
      add(Resource::service, name_, {is("running", fact.running()), is("enabled", fact.enabled())});
    }
  }

  void look_at_accounts() {
    if (const UserFact fact = user(target_, name_); fact.exists) {
      add(Resource::user, name_,
          {is("exists", true), is("home", fact.home), is("shell", fact.shell), has("groups", fact.groups)});
    }
    if (group(target_, name_).exists) add(Resource::group, name_, {is("exists", true)});
  }

  void look_at_processes() {
    ProcessFact fact = process(target_, name_);
    if (fact.running()) {
      add_process(name_, fact.processes);
      look_at_ports(fact.processes);
    } else {
      look_at_processes_of_service();
    }
  }

  // A service's processes may be called otherwise: "python3".
  void look_at_processes_of_service() {
    const std::set<pid_t> pids = pids_in_cgroup(cgroup_of_service());
    std::map<std::string, Processes> by_name;
    for (const pid_t pid : pids) {
      const std::string comm(trimmed_end(read_file_if_exists(fmt::format("/proc/{}/comm", pid)).value_or("")));
      if (comm.empty() || by_name.contains(comm)) continue;
      Processes& own = by_name[comm];
      for (auto& one : process(target_, comm).processes) {
        if (pids.contains(one.pid)) own.push_back(std::move(one));
      }
      if (own.empty()) by_name.erase(comm);
    }
    Processes all;
    for (const auto& [comm, processes] : by_name) {
      add_process(comm, processes);
      std::copy(processes.begin(), processes.end(), std::back_inserter(all));
    }
    look_at_ports(all);
  }

  // As systemd calls it, below the container's own; empty when there is no such service, or it doesn't run.
  std::string cgroup_of_service() {
    if (!file_status(target_, "/run/systemd/system")) return {};
    const ExecResult shown =
        mayfly::run(target_, {"systemctl", "show", "-p", "ControlGroup", "--value", "--", name_}, {.timeout = kWithin});
    return shown.ok() ? std::string(trimmed_end(shown.out)) : std::string();
  }

  // Those of the host that are the container's and in that group, or below it.
  std::set<pid_t> pids_in_cgroup(const std::string& group) const {
    std::set<pid_t> pids;
    if (group.size() < 2) return pids;
    std::error_code gone;
    const auto own = std::filesystem::read_symlink(fmt::format("/proc/{}/ns/pid", target_.init_pid()), gone);
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string file = entry.path().filename();
      std::error_code ended;
      if (std::isdigit(static_cast<unsigned char>(file.front())) == 0 ||
          std::filesystem::read_symlink(entry.path() / "ns/pid", ended) != own || ended) {
        continue;
      }
      std::string groups = read_file_if_exists(entry.path() / "cgroup").value_or("");
      std::replace(groups.begin(), groups.end(), '\n', '/');  // "0::/.../system.slice/x.service/"
      if (groups.find(group + "/") != std::string::npos) pids.insert(std::stoi(file));
    }
    return pids;
  }

  void add_process(const std::string& name, const Processes& processes) {
    std::set<std::string> users;
    std::set<std::string> commands;
    for (const auto& one : processes) {
      users.insert(one.user);
      commands.insert(fmt::format("{}", fmt::join(one.command, " ")));
    }
    Demands demands{is("running", true), has("user", {users.begin(), users.end()})};
    // Of another name, what it runs tells which one is meant.
    if (name != name_) demands.push_back(has("args", {commands.begin(), commands.end()}));
    add(Resource::process, name, std::move(demands));
  }

  void look_at_ports(const Processes& processes) {
    std::set<std::string> inodes;
    for (const auto& one : processes) {
      std::error_code gone;
      for (std::filesystem::directory_iterator entry(fmt::format("/proc/{}/fd", one.pid), gone), end;
           !gone && entry != end; entry.increment(gone)) {
        std::error_code closed;
        const std::string link = std::filesystem::read_symlink(entry->path(), closed);
        if (link.starts_with("socket:[")) inodes.insert(link.substr(8, link.size() - 9));
      }
    }
    for (const std::string protocol : {"tcp", "udp"}) {
      std::set<int> ports;
      for (const std::string& table : {protocol, protocol + "6"}) {
        const auto text = read_file_if_exists(fmt::format("/proc/{}/net/{}", target_.init_pid(), table));
        for (const int number : ports_of_sockets(text.value_or(""), inodes, protocol == "tcp")) ports.insert(number);
      }
      for (const int number : ports) {
        add(Resource::port, std::to_string(number), {is("listening", true)});
        if (protocol != "tcp") checks_.back().options["protocol"] = protocol;
      }
    }
  }

  void look_at_kernel_and_network() {
    if (name_.find_first_of("./") != std::string::npos) {
      if (const SysctlFact fact = sysctl(target_, name_); fact.exists) {
        add(Resource::sysctl, name_, {is("value", fact.value)});
      }
    }
    if (const InterfaceFact fact = interface(target_, name_); fact.exists) {
      Demands demands{is("up", fact.up), is("mtu", std::int64_t{fact.mtu})};
      if (!fact.addresses.empty()) demands.push_back(has("addresses", fact.addresses));
      add(Resource::interface, name_, std::move(demands));
    }
  }

  const Target& target_;
  const std::string& name_;
  std::vector<Check> checks_;
};

}  // namespace

std::vector<Check> discover(const Target& target, const std::string& name) { return Discovery(target, name).run(); }

}  // namespace mayfly
