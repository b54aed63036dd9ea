// What the server does when it is asked.
#include <fmt/format.h>

#include <algorithm>

#include "mayfly/keeper/answer.h"
#include "mayfly/keeper/purge.h"
#include "mayfly/keeper/server.h"
#include "mayfly/network/name_files.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr Milliseconds kUntilStarted{60'000};
/// How long it is waited for that an init listens to what asks it to shut down.
constexpr Milliseconds kUntilInitListens{100};

}  // namespace

Server::Entry& Server::entry(const std::string& name) {
  const auto at = entries_.find(name);
  if (at == entries_.end()) {
    throw Error(fmt::format("no container '{}' in this session", name));
  }
  return at->second;
}

void Server::handle(request::Start& request, UniqueFd& reply) {
  const std::string name = request.spec.name;
  if (name.empty() || name.size() > 48 ||
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
    throw Error(fmt::format("container name '{}' isn't 1 to 48 of the characters a-z, 0-9 and '-'", name));
  }
  if (entries_.contains(name)) {
    throw Error(fmt::format("container '{}' exists already in this session", name));
  }
  remove_ended(name);
  if (request.spec.writable_on_disk && !std::filesystem::exists(surroundings_->disk)) {
    directory_->own(disk_);
    std::filesystem::create_directories(surroundings_->disk);
    // What a container writes is for its user and root to read.
    std::filesystem::permissions(surroundings_->disk, std::filesystem::perms::owner_all);
  }
  Entry started;
  MachineNetwork network = network_for(request.spec);
  const std::string address = network.address;
  const std::string group = request.spec.network_group;
  try {
    started.machine = std::make_unique<Machine>(std::move(request.spec), std::move(network), *surroundings_);
  } catch (...) {
    leave_network(group, address);
    throw;
  }
  started.start = std::move(reply);
  started.deadline = Deadline::after(kUntilStarted);
  entries_.emplace(name, std::move(started));
}

MachineNetwork Server::network_for(const ContainerSpec& spec) {
  MachineNetwork network;
  if (spec.network == Network::host) {
    network.resolv_conf = read_file_if_exists("/etc/resolv.conf");
  } else if (spec.network == Network::nat) {
    auto at = networks_.find(spec.network_group);
    if (at == networks_.end()) {
      auto router = std::make_unique<Router>(RouterOptions{.mount_namespace = host_mounts_.get()});
      at = networks_.emplace(spec.network_group, PrivateNetwork{.router = std::move(router)}).first;
    }
    network.address = at->second.addresses.lease();
    network.resolv_conf = resolv_conf_text({kNameServer});
    network.network_namespace = at->second.router->netns_fd();
    network.link = LxcPlacement::Link{.bridge = at->second.router->bridge(),
                                      .address = fmt::format("{}/{}", network.address, kPrefixLength),
                                      .gateway = kGateway,
                                      .ethernet_address = ethernet_address(network.address)};
  }
  return network;
}

void Server::leave_network(const std::string& group, const std::string& address) {
  const auto at = networks_.find(group);
  if (address.empty() || at == networks_.end()) {
    return;
  }
  at->second.addresses.release(address);
  const bool empty = std::none_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    const Machine& other = *entry.second.machine;
    return other.spec().network_group == group && !other.address().empty();
  });
  // The session's own network stays for its next container.
  if (empty && !group.empty()) {
    networks_.erase(at);
  }
}

void Server::handle(request::Destroy& request, UniqueFd& reply) {
  const auto at = entries_.find(request.name);
  if (at == entries_.end()) {
    answer(reply, reply::Done{});
    return;
  }
  at->second.removal.push_back({std::move(reply)});
  if (at->second.machine->phase() == Machine::Phase::exited) {
    finish(at);
  } else {
    stop(at->second);
  }
}

void Server::handle(request::ShutDown& request, UniqueFd& reply) {
  const auto at = entries_.find(request.name);
  if (at == entries_.end()) {
    answer(reply, reply::WentDown{.by_itself = true});
    return;
  }
  Entry& entry = at->second;
  entry.removal.push_back({std::move(reply), true});
  if (entry.machine->phase() == Machine::Phase::exited) {
    finish(at);
  } else if (entry.machine->phase() == Machine::Phase::running) {
    entry.shutting_down = true;
    entry.deadline = Deadline::after(request.within);
    entry.ask_by = Deadline::after(kUntilInitListens);
    ask_to_shut_down(entry);
  }
}

void Server::handle(request::ExitOf& request, UniqueFd& reply) {
  Entry& asked = entry(request.name);
  if (asked.machine->phase() == Machine::Phase::running && asked.machine->init_has_ended()) {
    init_ended(asked);
  }
  if (asked.machine->phase() == Machine::Phase::dying) {
    asked.exit_questions.push_back(std::move(reply));
  } else {
    answer(reply, reply::Exit{asked.machine->exit()});
  }
}

void Server::handle(request::Logs& request, UniqueFd& reply) {
  const Machine& machine = *entry(request.name).machine;
  answer(reply, reply::LogPaths{.console = machine.console_log(), .lxc = machine.lxc_log()});
}

void Server::handle(request::RootView& request, UniqueFd& reply) {
  answer(reply, entry(request.name).machine->root_paths());
}

void Server::handle(request::BuildCgroup&, UniqueFd& reply) {
  const std::string name = cgroup_name(directory_->id(), ".build");
  (void)cgroups_.create(name);
  answer(reply, reply::BuildCgroup{cgroups_.unified_root() / name / "cgroup.procs"});
}

void Server::handle(request::Own& request, UniqueFd& reply) {
  directory_->own(request.path);
  answer(reply, reply::Done{});
}

void Server::handle(request::Disown& request, UniqueFd& reply) {
  directory_->disown(request.path);
  answer(reply, reply::Done{});
}

void Server::handle(request::Close&, UniqueFd& reply) {
  closing_ = std::move(reply);
  ended_ = true;
}

}  // namespace mayfly
