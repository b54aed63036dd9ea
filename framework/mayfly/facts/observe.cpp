#include "mayfly/facts/observe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mayfly/exec/command.h"
#include "mayfly/facts/expectation.h"
#include "mayfly/facts/facts.h"
#include "mayfly/facts/machine_facts.h"
#include "mayfly/facts/network_facts.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace {

using List = std::vector<std::string>;

// A command that hangs must not hang the report.
constexpr Milliseconds kCommandWithin{60'000};

bool demands(const Check& check, std::string_view attribute) {
  return std::any_of(check.demands.begin(), check.demands.end(),
                     [&](const Demand& demand) { return demand.attribute == attribute; });
}

template <typename T>
T option(const Check& check, const std::string& name, const T& fallback) {
  const auto found = check.options.find(name);
  return found == check.options.end() ? fallback : std::get<T>(found->second);
}

Milliseconds timeout(const Check& check, Milliseconds fallback) {
  return Milliseconds(option<std::int64_t>(check, "timeout", fallback.count()));
}

// " (failed)"; nothing for nothing.
std::string in_brackets(const std::string& text) { return text.empty() ? "" : fmt::format(" ({})", text); }

// Each once, in the order of their appearance.
template <typename Items, typename Text>
List texts(const Items& items, Text text) {
  List all;
  for (const auto& item : items) {
    std::string one = text(item);
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(std::move(one));
  }
  return all;
}

Observation observe_service(const Target& target, const Check& check) {
  const ServiceFact fact = service(target, check.subject);
  Observation found{.present = fact.exists};
  found.values = {{"exists", fact.exists}, {"running", fact.running()}, {"enabled", fact.enabled()}};
  if (!fact.exists) return found;
  found.values["state"] = fact.active_state;
  found.values["enabled_state"] = fact.enabled_state;
  const bool one_word = fact.sub_state.empty() || fact.sub_state == fact.active_state;
  found.notes["running"] =
      in_brackets(one_word ? fact.active_state : fmt::format("{}, {}", fact.active_state, fact.sub_state));
  if (!fact.log_tail.empty()) {
    found.notes["running"] += "\nits journal ends with:\n" + tail(fact.log_tail, 10);
    found.notes["state"] = "\nits journal ends with:\n" + tail(fact.log_tail, 10);
  }
  found.notes["enabled"] = in_brackets(fact.enabled_state);
  return found;
}

Observation observe_port(const Target& target, const Check& check) {
  const PortFact fact = port(target, std::stoi(check.subject), option<std::string>(check, "protocol", "tcp"));
  return {.present = fact.listening(),
          .values = {{"listening", fact.listening()}, {"addresses", fact.listening_addresses}},
          .notes = {{"listening", in_brackets(fmt::format("{}", fmt::join(fact.listening_addresses, ", ")))}}};
}

std::string_view type_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFCHR:
      return "character-device";
    case S_IFBLK:
      return "block-device";
    case S_IFIFO:
      return "pipe";
    default:
      return "socket";
  }
}

Observation observe_file(const Target& target, const Check& check) {
  const FileFact fact = file(target, check.subject);
  bool fits = fact.exists();
  if (fits && check.resource == Resource::directory) fits = S_ISDIR(fact.status->mode);
  if (fits && check.resource == Resource::link) fits = S_ISLNK(fact.status->mode);
  Observation found{.present = fits, .values = {{"exists", fits}}};
  if (!fits) return found;
  found.values["type"] = std::string(type_name(fact.status->mode));
  found.values["mode"] = std::int64_t{fact.status->mode & 07777};
  found.values["owner"] = fact.owner;
  found.values["group"] = fact.group;
  found.values["size"] = static_cast<std::int64_t>(fact.status->size);
  if (demands(check, "content")) found.values["content"] = fact.content();
  if ((fact.status->mode & S_IROTH) == 0) found.withheld.insert("content");
  if (demands(check, "sha256")) found.values["sha256"] = sha256_of(fact.content());
  if (check.resource == Resource::link) {
    found.values["target"] = fact.status->symlink_target;
    if (demands(check, "resolved")) found.values["resolved"] = resolved_path(target, check.subject);
  }
  return found;
}

Observation observe_package(const Target& target, const Check& check) {
  const PackageFact fact = package(target, check.subject);
  Observation found{.present = fact.installed,
                    .values = {{"installed", fact.installed}},
                    .notes = {{"installed", in_brackets(fact.version)}}};
  if (fact.installed) {
    found.values["version"] = fact.version;
    found.values["held"] = fact.held;
  }
  return found;
}

Observation observe_user(const Target& target, const Check& check) {
  const UserFact fact = user(target, check.subject);
  Observation found{.present = fact.exists, .values = {{"exists", fact.exists}}};
  if (!fact.exists) return found;
  found.values["uid"] = std::int64_t{fact.uid};
  found.values["gid"] = std::int64_t{fact.gid};
  found.values["shell"] = fact.shell;
  found.values["home"] = fact.home;
  found.values["comment"] = fact.gecos;
  found.values["groups"] = fact.groups;
  return found;
}

Observation observe_group(const Target& target, const Check& check) {
  const GroupFact fact = group(target, check.subject);
  Observation found{.present = fact.exists, .values = {{"exists", fact.exists}}};
  if (!fact.exists) return found;
  found.values["gid"] = std::int64_t{fact.gid};
  found.values["members"] = fact.members;
  return found;
}

Observation observe_command(const Target& target, const Check& check, const std::map<std::string, std::string>& env) {
  const ExecResult result =
      run(target, check.argv,
          {.env = env, .user = option<std::string>(check, "user", ""), .timeout = timeout(check, kCommandWithin)});
  if (result.timed_out) return {.trouble = fmt::format("did not end within {}", to_string(result.duration))};
  const std::string said = tail(result.err.empty() ? result.out : result.err, 5);
  return {.values = {{"exit_code", std::int64_t{result.exit_code}}, {"stdout", result.out}, {"stderr", result.err}},
          .notes = {{"exit_code", said.empty() ? "" : ": " + said}}};
}

Observation observe_process(const Target& target, const Check& check) {
  const ProcessFact fact = process(target, check.subject);
  return {.present = fact.running(),
          .values = {{"running", fact.running()},
                     {"count", static_cast<std::int64_t>(fact.processes.size())},
                     {"user", texts(fact.processes, [](const auto& one) { return one.user; })},
                     {"args", texts(fact.processes,
                                    [](const auto& one) { return fmt::format("{}", fmt::join(one.command, " ")); })}}};
}

Observation observe_mount(const Target& target, const Check& check) {
  const MountFact fact = mount(target, check.subject);
  Observation found{.present = fact.exists, .values = {{"exists", fact.exists}}};
  if (!fact.exists) return found;
  found.values["source"] = fact.source;
  found.values["fstype"] = fact.filesystem;
  found.values["options"] = fact.options;
  return found;
}

template <typename Fact>
Observation observe_value(const Fact& fact) {
  Observation found{.present = fact.exists, .values = {{"exists", fact.exists}}};
  if (fact.exists) found.values["value"] = fact.value;
  return found;
}

Observation observe_interface(const Target& target, const Check& check) {
  const InterfaceFact fact = interface(target, check.subject);
  Observation found{.present = fact.exists, .values = {{"exists", fact.exists}}};
  if (!fact.exists) return found;
  found.values["up"] = fact.up;
  found.values["addresses"] = fact.addresses;
  found.values["mtu"] = std::int64_t{fact.mtu};
  found.values["mac"] = fact.mac;
  return found;
}

Observation observe_http(const Target& target, const Check& check) {
  const HttpFact fact = http(target, check.subject,
                             {.method = option<std::string>(check, "method", ""),
                              .headers = option<List>(check, "request_headers", {}),
                              .body = option<std::string>(check, "request_body", ""),
                              .follow_redirects = option(check, "follow_redirects", false),
                              .verify_tls = option(check, "verify_tls", true),
                              .timeout = timeout(check, HttpOptions{}.timeout)});
  Observation found{.present = fact.answers(),
                    .values = {{"answers", fact.answers()}},
                    .notes = {{"answers", in_brackets(fact.trouble)}}};
  if (!fact.answers()) return found;
  found.values["status"] = std::int64_t{fact.status};
  found.values["headers"] = fact.headers;
  found.values["body"] = fact.body;
  if (!fact.body.empty()) {
    found.notes["status"] = "; its body begins with";
    found.quoted["status"] = fact.body;
  }
  return found;
}

Observation observe_dns(const Target& target, const Check& check) {
  const DnsFact fact = dns(target, check.subject,
                           {.type = option<std::string>(check, "type", ""),
                            .server = option<std::string>(check, "server", ""),
                            .timeout = timeout(check, DnsOptions{}.timeout)});
  Observation found{.present = fact.resolves(),
                    .values = {{"resolves", fact.resolves()}},
                    .notes = {{"resolves", in_brackets(fact.trouble)}}};
  if (fact.resolves()) found.values["answers"] = fact.answers;
  return found;
}

Observation observe_cron(const Target& target, const Check& check) {
  const CronFact fact = cron(target, check.subject);
  Observation found{.present = fact.exists(),
                    .values = {{"exists", fact.exists()}, {"count", static_cast<std::int64_t>(fact.entries.size())}}};
  if (!fact.exists()) return found;
  found.values["schedule"] = texts(fact.entries, [](const auto& entry) { return entry.schedule; });
  found.values["user"] = texts(fact.entries, [](const auto& entry) { return entry.user; });
  found.values["file"] = texts(fact.entries, [](const auto& entry) { return entry.file; });
  return found;
}

}  // namespace

Observation observe(const Target& target, const Check& check, const std::map<std::string, std::string>& env) {
  switch (check.resource) {
    case Resource::service:
      return observe_service(target, check);
    case Resource::port:
      return observe_port(target, check);
    case Resource::file:
    case Resource::directory:
    case Resource::link:
      return observe_file(target, check);
    case Resource::package:
      return observe_package(target, check);
    case Resource::user:
      return observe_user(target, check);
    case Resource::group:
      return observe_group(target, check);
    case Resource::command:
      return observe_command(target, check, env);
    case Resource::process:
      return observe_process(target, check);
    case Resource::mount:
      return observe_mount(target, check);
    case Resource::sysctl:
      return observe_value(sysctl(target, check.subject));
    case Resource::kernel_parameter:
      return observe_value(kernel_parameter(target, check.subject));
    case Resource::interface:
      return observe_interface(target, check);
    case Resource::http:
      return observe_http(target, check);
    case Resource::dns:
      return observe_dns(target, check);
    case Resource::cron:
      break;
  }
  return observe_cron(target, check);
}

}  // namespace mayfly
