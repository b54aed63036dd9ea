#include "mayfly/pool/messages.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include "mayfly/keeper/protocol.h"
#include "mayfly/keeper/variant_json.h"
#include "mayfly/support/error.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace {

namespace json = boost::json;

template <typename Number>
Number number_of(const json::object& object, std::string_view key) {
  return object.at(key).to_number<Number>();
}

json::array ready_json(const std::vector<ReadyWhen>& conditions) {
  json::array list;
  for (const ReadyWhen& condition : conditions) {
    json::array argv;
    for (const std::string& word : condition.argv) {
      argv.emplace_back(word);
    }
    list.push_back({{"kind", static_cast<int>(condition.kind)},
                    {"text", condition.text},
                    {"port", condition.port},
                    {"argv", std::move(argv)}});
  }
  return list;
}

std::vector<ReadyWhen> ready_from(const json::array& list) {
  std::vector<ReadyWhen> conditions;
  for (const json::value& value : list) {
    const json::object& object = value.as_object();
    ReadyWhen& condition =
        conditions.emplace_back(ReadyWhen{.kind = static_cast<ReadyWhen::Kind>(number_of<int>(object, "kind")),
                                          .text = text_of(object, "text"),
                                          .port = number_of<int>(object, "port")});
    for (const json::value& word : object.at("argv").as_array()) {
      condition.argv.emplace_back(word.as_string());
    }
  }
  return conditions;
}

/// The specification in the keeper's own words.
std::string spec_text(const ContainerSpec& spec) { return to_json(Request(request::Start{spec})); }

// As in the keeper's protocol: one overload a message, and "type" is its index in the variant.
json::object fields(const to_pool::Want& m) {
  return {{"spec", spec_text(m.request.spec)},
          {"image", m.request.image},
          {"ready", ready_json(m.request.ready)},
          {"within", m.request.within.count()},
          {"hand_out", m.hand_out}};
}
json::object fields(const to_pool::Mine& m) { return {{"name", m.name}}; }
json::object fields(const to_pool::Gone& m) { return {{"name", m.name}}; }
json::object fields(const to_pool::End&) { return {}; }
json::object fields(const from_pool::Hello& m) {
  return {{"pool", m.pool}, {"keeper", m.keeper}, {"session", m.session}, {"build", m.build}};
}
json::object fields(const from_pool::HandOut& m) {
  return {{"name", m.name}, {"address", m.address}, {"network_group", m.network_group}, {"init", m.init}};
}
json::object fields(const from_pool::NoneReady& m) { return {{"why", m.why}}; }
json::object fields(const from_pool::Ending& m) {
  return {{"ends", m.ends}, {"users", m.users}, {"containers", m.containers}};
}

void read(const json::object& o, to_pool::Want& m) {
  m.request = {.spec = std::get<request::Start>(request_from_json(text_of(o, "spec"))).spec,
               .image = text_of(o, "image"),
               .ready = ready_from(o.at("ready").as_array()),
               .within = Milliseconds(number_of<std::int64_t>(o, "within"))};
  m.hand_out = o.at("hand_out").as_bool();
}
void read(const json::object& o, to_pool::Mine& m) { m.name = text_of(o, "name"); }
void read(const json::object& o, to_pool::Gone& m) { m.name = text_of(o, "name"); }
void read(const json::object&, to_pool::End&) {}
void read(const json::object& o, from_pool::Hello& m) {
  m = {number_of<pid_t>(o, "pool"), number_of<pid_t>(o, "keeper"), text_of(o, "session"), text_of(o, "build")};
}
void read(const json::object& o, from_pool::HandOut& m) {
  m = {text_of(o, "name"), text_of(o, "address"), text_of(o, "network_group"), number_of<pid_t>(o, "init")};
}
void read(const json::object& o, from_pool::NoneReady& m) { m.why = text_of(o, "why"); }
void read(const json::object& o, from_pool::Ending& m) {
  m = {o.at("ends").as_bool(), number_of<unsigned>(o, "users"), number_of<unsigned>(o, "containers")};
}

constexpr auto kFields = [](const auto& message) { return fields(message); };
constexpr auto kRead = [](const json::object& object, auto& message) { read(object, message); };

}  // namespace

std::string to_json(const ToPool& message) { return variant_to_json(message, kFields); }
std::string to_json(const FromPool& message) { return variant_to_json(message, kFields); }
ToPool to_pool_from_json(std::string_view text) {
  return variant_from_json<ToPool>(text, kRead, "test process and pool");
}
FromPool from_pool_from_json(std::string_view text) {
  return variant_from_json<FromPool>(text, kRead, "test process and pool");
}

std::string pool_key(const PoolRequest& request) {
  ContainerSpec spec = request.spec;
  spec.name.clear();
  spec.network_group.clear();
  return Sha256()
      .field(spec_text(spec))
      .field(request.image)
      .field(json::serialize(ready_json(request.ready)))
      .field(std::to_string(request.within.count()))
      .hex();
}

std::string build_identity() {
  std::string identity;
  for (const char* program : {"mayfly-pool", "mayfly-keeper", "mayfly-init"}) {
    const std::filesystem::path path = find_shipped(program);
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) {
      throw SystemError(fmt::format("look at '{}'", path.string()));
    }
    identity +=
        fmt::format("{}:{}:{}.{:09} ", status.st_dev, status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return identity;
}

}  // namespace mayfly
