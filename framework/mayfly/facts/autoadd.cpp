#include "mayfly/facts/autoadd.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <tuple>

#include "mayfly/facts/facts.h"
#include "mayfly/facts/machine_facts.h"
#include "mayfly/facts/machine_texts.h"
#include "mayfly/facts/network_facts.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using Demands = std::vector<Demand>;

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
    const ProcessFact fact = process(target_, name_);
    if (!fact.running()) return;
    std::set<std::string> users;
    for (const auto& one : fact.processes) users.insert(one.user);
    add(Resource::process, name_, {is("running", true), has("user", {users.begin(), users.end()})});
    look_at_ports(fact);
  }

  void look_at_ports(const ProcessFact& fact) {
    std::set<std::string> inodes;
    for (const auto& one : fact.processes) {
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
