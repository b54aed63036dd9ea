#include "mayfly/facts/facts.h"

#include <fmt/format.h>

#include <filesystem>

#include "mayfly/exec/command.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/facts/databases.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

// What systemd and the journal need at most; a container that hangs must not hang its test.
constexpr Milliseconds kWithin{10'000};

std::string text_or_nothing(const Target& target, const std::string& path) {
  return file_status(target, path) ? read_file(target, path) : std::string();
}

// A process's view of its network namespace, so that nothing has to be run in it.
std::string network_table(const Target& target, const std::string& table) {
  auto text = read_file_if_exists(fmt::format("/proc/{}/net/{}", target.init_pid(), table));
  if (target.dead()) throw_stopped();
  return std::move(text).value_or("");  // no tcp6 on a kernel without IPv6
}

}  // namespace

ServiceFact service(const Target& target, const std::string& name) {
  return in_context(fmt::format("asking systemd about service '{}'", name), [&] {
    const ExecResult shown =
        run(target, {"systemctl", "show", "-p", "LoadState,ActiveState,SubState,UnitFileState", "--", name},
            {.timeout = kWithin});
    if (shown.exit_code == 127) {
      Error error("the container has no systemctl");
      error.set_hint("services need an image with systemd: add \"systemd-sysv\" to image.packages");
      throw error;
    }
    if (!shown.ok()) {
      throw CommandError(shown.argv, shown.exit_code, shown.out + shown.err);
    }
    ServiceFact fact = parse_service(name, shown.out);
    if (fact.active_state == "failed") {
      fact.log_tail =
          run(target, {"journalctl", "--no-pager", "-q", "-o", "cat", "-n", "10", "-u", name}, {.timeout = kWithin})
              .out;
    }
    return fact;
  });
}

PackageFact package(const Target& target, const std::string& name) {
  constexpr const char* kStatus = "/var/lib/dpkg/status";
  if (!file_status(target, kStatus)) {
    throw Error(fmt::format("package '{}': unknown package manager: the container has no '{}'", name, kStatus));
  }
  return find_package(read_file(target, kStatus), name);
}

FileFact file(const Target& target, const std::string& path) {
  FileFact fact{.path = path, .status = file_status(target, path, false)};
  fact.read = [target, path] { return read_file(target, path); };
  if (fact.status) {
    fact.owner = name_of_id(text_or_nothing(target, "/etc/passwd"), fact.status->uid);
    fact.group = name_of_id(text_or_nothing(target, "/etc/group"), fact.status->gid);
  }
  return fact;
}

std::string resolved_path(const Target& target, const std::string& path) {
  constexpr int kMostLinks = 40;  // the kernel's own limit (path_resolution(7))
  std::filesystem::path left = path;
  for (int links = 0; links < kMostLinks; ++links) {
    std::filesystem::path resolved = "/";
    bool changed = false;
    for (auto part = left.begin(); part != left.end() && !changed; ++part) {
      if (*part == "/" || *part == "." || part->empty()) continue;
      if (*part == "..") {
        resolved = resolved.parent_path();
        continue;
      }
      const auto status = file_status(target, resolved / *part, false);
      if (!status) return {};
      if (!S_ISLNK(status->mode)) {
        resolved /= *part;
        continue;
      }
      resolved /= status->symlink_target;  // an absolute one replaces what is before it
      for (auto rest = std::next(part); rest != left.end(); ++rest) resolved /= *rest;
      changed = true;
    }
    if (!changed) return resolved;
    left = resolved;
  }
  return {};
}

UserFact user(const Target& target, const std::string& name) {
  return find_user(text_or_nothing(target, "/etc/passwd"), text_or_nothing(target, "/etc/group"), name);
}

GroupFact group(const Target& target, const std::string& name) {
  return find_group(text_or_nothing(target, "/etc/group"), name);
}

PortFact port(const Target& target, int number, const std::string& protocol) {
  if (protocol != "tcp" && protocol != "udp") {
    throw Error(fmt::format("port {}: unknown protocol '{}': 'tcp' and 'udp' are known", number, protocol));
  }
  PortFact fact{.number = number, .protocol = protocol};
  for (const std::string& table : {protocol, protocol + "6"}) {
    for (std::string& address : listening_addresses(network_table(target, table), number, protocol == "tcp")) {
      fact.listening_addresses.push_back(std::move(address));
    }
  }
  return fact;
}

}  // namespace mayfly
