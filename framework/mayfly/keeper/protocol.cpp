#include "mayfly/keeper/protocol.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <concepts>
#include <type_traits>

#include "mayfly/keeper/client.h"
#include "mayfly/keeper/variant_json.h"

namespace mayfly {
namespace {

namespace json = boost::json;

json::array strings(const auto& values) {
  json::array array;
  for (const auto& value : values) {
    array.emplace_back(json::string(std::string(value)));
  }
  return array;
}

template <typename T>
std::vector<T> string_list(const json::value& value) {
  std::vector<T> list;
  for (const json::value& element : value.as_array()) {
    list.emplace_back(std::string(element.as_string()));
  }
  return list;
}

json::object limits_json(const Limits& limits) {
  json::object object;
  if (limits.memory) object["memory"] = limits.memory->count;
  if (limits.cpus) object["cpus"] = *limits.cpus;
  if (limits.pids) object["pids"] = *limits.pids;
  if (limits.disk) object["disk"] = limits.disk->count;
  return object;
}

Limits limits_from(const json::object& object) {
  Limits limits;
  if (const json::value* value = object.if_contains("memory")) limits.memory = Bytes{value->to_number<std::uint64_t>()};
  if (const json::value* value = object.if_contains("cpus")) limits.cpus = value->to_number<double>();
  if (const json::value* value = object.if_contains("pids")) limits.pids = value->to_number<std::uint64_t>();
  if (const json::value* value = object.if_contains("disk")) limits.disk = Bytes{value->to_number<std::uint64_t>()};
  return limits;
}

json::object spec_json(const ContainerSpec& spec) {
  json::object env;
  for (const auto& [name, value] : spec.env) {
    env[name] = value;
  }
  return {{"name", spec.name},
          {"hostname", spec.hostname},
          {"profile", spec.profile},
          {"lowers", strings(spec.lowers)},
          {"writable", spec.writable.string()},
          {"writable_on_disk", spec.writable_on_disk},
          {"init", strings(spec.init)},
          {"systemd", spec.systemd},
          {"stock_boot", spec.stock_boot},
          {"mask", strings(spec.mask)},
          {"privileged", spec.privileged},
          {"limits", limits_json(spec.limits)},
          {"network", static_cast<int>(spec.network)},
          {"network_group", spec.network_group},
          {"env", env}};
}

ContainerSpec spec_from(const json::object& object) {
  ContainerSpec spec{.name = text_of(object, "name"),
                     .hostname = text_of(object, "hostname"),
                     .profile = text_of(object, "profile"),
                     .lowers = string_list<std::filesystem::path>(object.at("lowers")),
                     .writable = text_of(object, "writable"),
                     .writable_on_disk = object.at("writable_on_disk").as_bool(),
                     .init = string_list<std::string>(object.at("init")),
                     .systemd = object.at("systemd").as_bool(),
                     .stock_boot = object.at("stock_boot").as_bool(),
                     .mask = string_list<std::string>(object.at("mask")),
                     .privileged = object.at("privileged").as_bool(),
                     .limits = limits_from(object.at("limits").as_object()),
                     .network = static_cast<Network>(object.at("network").to_number<int>()),
                     .network_group = text_of(object, "network_group")};
  for (const auto& [name, value] : object.at("env").as_object()) {
    spec.env.emplace(std::string(name), std::string(value.as_string()));
  }
  return spec;
}

// One overload a message: its fields. The key "type" is the message's index in its variant, so the two ends have to be
// of one build, which they are: the keeper is shipped with the library.
json::object fields(const request::Start& m) { return {{"spec", spec_json(m.spec)}}; }
json::object fields(const request::Destroy& m) { return {{"name", m.name}}; }
json::object fields(const request::ShutDown& m) { return {{"name", m.name}, {"within", m.within.count()}}; }
json::object fields(const request::ExitOf& m) { return {{"name", m.name}}; }
json::object fields(const request::Logs& m) { return {{"name", m.name}}; }
json::object fields(const request::RootView& m) { return {{"name", m.name}}; }
json::object fields(const request::BuildCgroup&) { return {}; }
json::object fields(const request::Own& m) { return {{"path", m.path.string()}}; }
json::object fields(const request::Disown& m) { return {{"path", m.path.string()}}; }
json::object fields(const request::Close&) { return {}; }
json::object fields(const reply::Done&) { return {}; }
json::object fields(const reply::Failure& m) {
  return {{"kind", static_cast<int>(m.kind)}, {"message", m.message}, {"hint", m.hint}};
}
json::object fields(const reply::Hello& m) { return {{"session", m.session}, {"keeper", m.keeper}}; }
json::object fields(const reply::Started& m) { return {{"init", m.init}, {"address", m.address}}; }
json::object fields(const reply::WentDown& m) { return {{"by_itself", m.by_itself}}; }
json::object fields(const reply::Exit& m) {
  return {{"reason", m.exit.reason}, {"console", m.exit.console_tail}, {"log", m.exit.lxc_log_tail}};
}
json::object fields(const reply::LogPaths& m) { return {{"console", m.console.string()}, {"lxc", m.lxc.string()}}; }
json::object fields(const reply::RootPaths& m) {
  json::object object{{"merged", m.merged.string()}, {"lower", m.lower.string()}, {"upper", m.upper.string()}};
  if (m.id_map) {
    object["ids"] = {m.id_map->host_base, m.id_map->count};
  }
  return object;
}
json::object fields(const reply::BuildCgroup& m) { return {{"procs", m.procs.string()}}; }

void read(const json::object& o, request::Start& m) { m.spec = spec_from(o.at("spec").as_object()); }
void read(const json::object& o, request::Destroy& m) { m.name = text_of(o, "name"); }
void read(const json::object& o, request::ShutDown& m) {
  m = {text_of(o, "name"), Milliseconds(o.at("within").to_number<std::int64_t>())};
}
void read(const json::object& o, request::ExitOf& m) { m.name = text_of(o, "name"); }
void read(const json::object& o, request::Logs& m) { m.name = text_of(o, "name"); }
void read(const json::object& o, request::RootView& m) { m.name = text_of(o, "name"); }
void read(const json::object&, request::BuildCgroup&) {}
void read(const json::object& o, request::Own& m) { m.path = text_of(o, "path"); }
void read(const json::object& o, request::Disown& m) { m.path = text_of(o, "path"); }
void read(const json::object&, request::Close&) {}
void read(const json::object&, reply::Done&) {}
void read(const json::object& o, reply::Failure& m) {
  m = {static_cast<reply::Failure::Kind>(o.at("kind").to_number<int>()), text_of(o, "message"), text_of(o, "hint")};
}
void read(const json::object& o, reply::Hello& m) { m = {text_of(o, "session"), o.at("keeper").to_number<pid_t>()}; }
void read(const json::object& o, reply::Started& m) { m = {o.at("init").to_number<pid_t>(), text_of(o, "address")}; }
void read(const json::object& o, reply::WentDown& m) { m.by_itself = o.at("by_itself").as_bool(); }
void read(const json::object& o, reply::Exit& m) {
  m.exit = {text_of(o, "reason"), text_of(o, "console"), text_of(o, "log")};
}
void read(const json::object& o, reply::LogPaths& m) { m = {text_of(o, "console"), text_of(o, "lxc")}; }
void read(const json::object& o, reply::RootPaths& m) {
  m = {.merged = text_of(o, "merged"), .lower = text_of(o, "lower"), .upper = text_of(o, "upper")};
  if (const json::value* ids = o.if_contains("ids")) {
    m.id_map = IdMap{ids->at(0).to_number<std::uint32_t>(), ids->at(1).to_number<std::uint32_t>()};
  }
}
void read(const json::object& o, reply::BuildCgroup& m) { m.procs = text_of(o, "procs"); }

constexpr auto kFields = [](const auto& message) { return fields(message); };
constexpr auto kRead = [](const json::object& object, auto& message) { read(object, message); };

}  // namespace

std::string to_json(const Request& request) { return variant_to_json(request, kFields); }
std::string to_json(const Reply& reply) { return variant_to_json(reply, kFields); }
Request request_from_json(std::string_view text) {
  return variant_from_json<Request>(text, kRead, "test process and keeper");
}
Reply reply_from_json(std::string_view text) {
  return variant_from_json<Reply>(text, kRead, "test process and keeper");
}

reply::Failure failure_from(const std::exception& error) {
  reply::Failure failure{.message = error.what()};
  if (const auto* ours = dynamic_cast<const Error*>(&error)) {
    failure.hint = ours->hint();
    if (!failure.hint.empty()) {
      // what() ends with it, and the other end adds it again.
      failure.message = failure.message.substr(0, failure.message.rfind("\n  hint: "));
    }
  }
  if (dynamic_cast<const LxcError*>(&error) != nullptr) {
    failure.kind = reply::Failure::Kind::lxc;
  } else if (dynamic_cast<const PrivilegeError*>(&error) != nullptr) {
    failure.kind = reply::Failure::Kind::privilege;
  }
  return failure;
}

void throw_failure(const reply::Failure& failure) {
  const auto with_hint = [&](auto error) {
    if (!failure.hint.empty()) {
      error.set_hint(failure.hint);
    }
    return error;
  };
  switch (failure.kind) {
    case reply::Failure::Kind::lxc:
      throw with_hint(LxcError(failure.message));
    case reply::Failure::Kind::privilege:
      throw with_hint(PrivilegeError(failure.message));
    case reply::Failure::Kind::error:
      break;
  }
  throw with_hint(Error(failure.message));
}

}  // namespace mayfly
