#include "mayfly/profile/resources.h"

#include <algorithm>
#include <array>

namespace mayfly {
namespace {

using enum ValueType;
using Subject = ResourceSpec::SubjectType;

// The greatest one means "nobody" to the kernel: chown(2) takes it for "leave as it is".
constexpr std::int64_t kMostId = std::int64_t{std::numeric_limits<std::uint32_t>::max()} - 1;

constexpr std::array<Attribute, 5> kService{{{"exists", boolean},
                                             {"running", boolean, Implied::by_short_form},
                                             {"enabled", boolean},
                                             {"state"},
                                             {"enabled_state"}}};
constexpr std::array<Attribute, 2> kPort{{{"listening", boolean, Implied::always}, {"addresses", list}}};
constexpr std::array<Attribute, 8> kFile{{{"exists", boolean, Implied::by_short_form},
                                          {"type"},
                                          {"mode", mode},
                                          {"owner"},
                                          {"group"},
                                          {"size", integer},
                                          {"sha256"},
                                          {"content", content}}};
constexpr std::array<Attribute, 4> kDirectory{
    {{"exists", boolean, Implied::by_short_form}, {"mode", mode}, {"owner"}, {"group"}}};
constexpr std::array<Attribute, 5> kLink{
    {{"exists", boolean, Implied::by_short_form}, {"target"}, {"resolved", path}, {"owner"}, {"group"}}};
constexpr std::array<Attribute, 3> kPackage{
    {{"installed", boolean, Implied::always}, {"version", version}, {"held", boolean}}};
constexpr std::array<Attribute, 7> kUser{{{"exists", boolean, Implied::always},
                                          {"uid", integer, Implied::never, 0, 0, kMostId},
                                          {"gid", integer, Implied::never, 0, 0, kMostId},
                                          {"shell", path},
                                          {"home", path},
                                          {"comment"},
                                          {"groups", list}}};
constexpr std::array<Attribute, 3> kGroup{
    {{"exists", boolean, Implied::always}, {"gid", integer, Implied::never, 0, 0, kMostId}, {"members", list}}};
constexpr std::array<Attribute, 3> kCommand{
    {{"exit_code", integer, Implied::always, 0, 0, 255}, {"stdout", content}, {"stderr", content}}};
constexpr std::array<Attribute, 4> kProcess{
    {{"running", boolean, Implied::always}, {"count", integer}, {"user", list}, {"args", list}}};
constexpr std::array<Attribute, 4> kMount{
    {{"exists", boolean, Implied::always}, {"source"}, {"fstype"}, {"options", list}}};
constexpr std::array<Attribute, 2> kValue{{{"exists", boolean, Implied::always}, {"value", number}}};
constexpr std::array<Attribute, 5> kInterface{
    {{"exists", boolean, Implied::always}, {"up", boolean}, {"addresses", list}, {"mtu", integer}, {"mac"}}};
constexpr std::array<Attribute, 4> kHttp{{{"answers", boolean, Implied::always},
                                          {"status", integer, Implied::by_short_form, 200, 100, 599},
                                          {"headers", list},
                                          {"body", content}}};
constexpr std::array<Attribute, 2> kDns{{{"resolves", boolean, Implied::always}, {"answers", list}}};
constexpr std::array<Attribute, 5> kCron{
    {{"exists", boolean, Implied::always}, {"count", integer}, {"schedule", list}, {"user", list}, {"file", list}}};

constexpr std::array<std::string_view, 2> kProtocols{"tcp", "udp"};
constexpr std::array<std::string_view, 8> kRecordTypes{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"};
constexpr std::array<CheckOption, 1> kPortOptions{{{"protocol", OptionType::text, kProtocols}}};
constexpr std::array<CheckOption, 2> kCommandOptions{{{"user"}, {"timeout", OptionType::duration}}};
constexpr std::array<CheckOption, 6> kHttpOptions{{{"method"},
                                                   {"request_headers", OptionType::texts},
                                                   {"request_body"},
                                                   {"follow_redirects", OptionType::boolean},
                                                   {"verify_tls", OptionType::boolean},
                                                   {"timeout", OptionType::duration}}};
constexpr std::array<CheckOption, 3> kDnsOptions{
    {{"type", OptionType::text, kRecordTypes}, {"server"}, {"timeout", OptionType::duration}}};

constexpr std::array<ResourceSpec, 17> kResources{
    {{Resource::service, "service", "name", Subject::word, "exists", "service", kService, {}},
     {Resource::port, "port", "number", Subject::port, "listening", "", kPort, kPortOptions},
     {Resource::file, "file", "path", Subject::path, "exists", "file", kFile, {}},
     {Resource::directory, "directory", "path", Subject::path, "exists", "directory", kDirectory, {}},
     {Resource::link, "link", "path", Subject::path, "exists", "symlink", kLink, {}},
     {Resource::package, "package", "name", Subject::word, "installed", "", kPackage, {}},
     {Resource::user, "user", "name", Subject::word, "exists", "user", kUser, {}},
     {Resource::group, "group", "name", Subject::word, "exists", "group", kGroup, {}},
     {Resource::command, "command", "argv", Subject::argv, "", "", kCommand, kCommandOptions},
     {Resource::process, "process", "name", Subject::word, "running", "", kProcess, {}},
     {Resource::mount, "mount", "path", Subject::path, "exists", "mount", kMount, {}},
     {Resource::sysctl, "sysctl", "name", Subject::word, "exists", "sysctl", kValue, {}},
     {Resource::interface, "interface", "name", Subject::word, "exists", "interface", kInterface, {}},
     {Resource::http, "http", "url", Subject::word, "answers", "", kHttp, kHttpOptions},
     {Resource::dns, "dns", "name", Subject::word, "resolves", "", kDns, kDnsOptions},
     {Resource::kernel_parameter, "kernel_parameter", "name", Subject::word, "exists", "kernel parameter", kValue, {}},
     {Resource::cron, "cron", "command", Subject::word, "exists", "cron entry", kCron, {}}}};

}  // namespace

const Attribute* ResourceSpec::find(std::string_view attribute) const noexcept {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const Attribute& candidate) { return candidate.name == attribute; });
  return found == attributes.end() ? nullptr : &*found;
}

std::span<const ResourceSpec> resources() noexcept { return kResources; }

const ResourceSpec& spec_of(Resource resource) noexcept {
  return *std::find_if(kResources.begin(), kResources.end(),
                       [&](const ResourceSpec& spec) { return spec.resource == resource; });
}

}  // namespace mayfly
