#include <fmt/format.h>

#include <array>
#include <limits>

#include "mayfly/profile/sections.h"
#include "mayfly/profile/values.h"

namespace mayfly {
namespace {

using Kind = DocumentNode::Kind;
// The greatest one means "nobody" to the kernel: chown(2) takes it for "leave as it is".
constexpr std::int64_t kMostUid = std::int64_t{std::numeric_limits<std::uint32_t>::max()} - 1;
constexpr auto kReadUid = read_integer_in<unsigned, 0, kMostUid>;

constexpr Schema<ServiceCheck, 3> kService{
    .title = "'service'",
    .fields = {{{"name", into<ServiceCheck, &ServiceCheck::name, read_word>, Need::required},
                {"running", into<ServiceCheck, &ServiceCheck::running, read_boolean>},
                {"enabled", into<ServiceCheck, &ServiceCheck::enabled, read_boolean>}}},
    .shorthand = "name"};

constexpr Schema<PortCheck, 2> kPort{
    .title = "'port'",
    .fields = {{{"number", into<PortCheck, &PortCheck::number, read_integer_in<int, 1, 65535>>, Need::required},
                {"listening", into<PortCheck, &PortCheck::listening, read_boolean>}}},
    .shorthand = "number"};

constexpr Schema<FileCheck, 6> kFile{
    .title = "'file'",
    .fields = {{{"path", into<FileCheck, &FileCheck::path, read_absolute_path>, Need::required},
                {"exists", into<FileCheck, &FileCheck::exists, read_boolean>},
                {"mode", into<FileCheck, &FileCheck::mode, read_mode>},
                {"owner", into<FileCheck, &FileCheck::owner, read_word>},
                {"group", into<FileCheck, &FileCheck::group, read_word>},
                {"contains", into<FileCheck, &FileCheck::contains, read_text>}}},
    .shorthand = "path"};

constexpr Schema<PackageCheck, 3> kPackage{
    .title = "'package'",
    .fields = {{{"name", into<PackageCheck, &PackageCheck::name, read_word>, Need::required},
                {"installed", into<PackageCheck, &PackageCheck::installed, read_boolean>},
                {"version", into<PackageCheck, &PackageCheck::version, read_word>}}},
    .shorthand = "name"};

constexpr Schema<UserCheck, 6> kUser{.title = "'user'",
                                     .fields = {{{"name", into<UserCheck, &UserCheck::name, read_word>, Need::required},
                                                 {"exists", into<UserCheck, &UserCheck::exists, read_boolean>},
                                                 {"uid", into<UserCheck, &UserCheck::uid, kReadUid>},
                                                 {"shell", into<UserCheck, &UserCheck::shell, read_absolute_path>},
                                                 {"home", into<UserCheck, &UserCheck::home, read_absolute_path>},
                                                 {"groups", into<UserCheck, &UserCheck::groups, read_names>}}},
                                     .shorthand = "name"};

constexpr Schema<CommandCheck, 3> kCommand{
    .title = "'command'",
    .fields = {{{"argv", into<CommandCheck, &CommandCheck::argv, read_argv>, Need::required},
                {"exit_code", into<CommandCheck, &CommandCheck::exit_code, read_integer_in<int, 0, 255>>},
                {"stdout_contains", into<CommandCheck, &CommandCheck::stdout_contains, read_text>}}},
    .shorthand = "argv"};

// Reports every key of `keys` that a check of something absent can't look at.
void refuse_beside_absence(Reader& reader, const DocumentNode& node, std::string_view absence,
                           std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (const DocumentEntry* entry = node.find(key)) {
      reader.error(entry->place, fmt::format("'{}' can't be checked beside {}", key, absence));
    }
  }
}

// What a whole check has to fulfil, and what its shorthand adds.
void complete(Reader& reader, const DocumentNode& node, ServiceCheck& check) {
  if (node.kind != Kind::table) {
    check.running = true;
  } else if (node.find("running") == nullptr && node.find("enabled") == nullptr) {
    reader.error(node.place, "this check looks at nothing", "add running = true or enabled = true");
  }
}

void complete(Reader& reader, const DocumentNode& node, FileCheck& check) {
  if (node.kind != Kind::table) {
    check.exists = true;
  } else if (node.entries.size() == 1 && node.find("path") != nullptr) {
    reader.error(node.place, "this check looks at nothing", "add exists = true, or mode, owner, group or contains");
  } else if (check.exists == false) {
    refuse_beside_absence(reader, node, "exists = false", {"mode", "owner", "group", "contains"});
  }
}

void complete(Reader& reader, const DocumentNode& node, PackageCheck& check) {
  if (!check.installed) {
    refuse_beside_absence(reader, node, "installed = false", {"version"});
  }
}

void complete(Reader& reader, const DocumentNode& node, UserCheck& check) {
  if (!check.exists) {
    refuse_beside_absence(reader, node, "exists = false", {"uid", "shell", "home", "groups"});
  }
}

template <typename What>
void complete(Reader& /*reader*/, const DocumentNode& /*node*/, What& /*check*/) {}

// The alternative of Check::what that the schema describes.
template <typename What, const auto& WhatSchema>
void read_what(Reader& reader, std::string_view name, const DocumentNode& node, Check& out) {
  What what;
  read_table(reader, WhatSchema, name, node, what);
  complete(reader, node, what);
  out.what = std::move(what);
}

constexpr Schema<Check, 6> kCheck{.title = "[[check]]",
                                  .fields = {{{"service", read_what<ServiceCheck, kService>, Need::choice},
                                              {"port", read_what<PortCheck, kPort>, Need::choice},
                                              {"file", read_what<FileCheck, kFile>, Need::choice},
                                              {"package", read_what<PackageCheck, kPackage>, Need::choice},
                                              {"user", read_what<UserCheck, kUser>, Need::choice},
                                              {"command", read_what<CommandCheck, kCommand>, Need::choice}}}};

}  // namespace

void read_checks(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  read_array_of_tables(reader, name, node, [&](const DocumentNode& item) {
    Check check{.line = item.place.line};
    read_table(reader, kCheck, name, item, check);
    profile.checks.push_back(std::move(check));
  });
}

std::vector<TableKeys> check_tables() {
  return {keys_of(kCheck),   keys_of(kService), keys_of(kPort),   keys_of(kFile),
          keys_of(kPackage), keys_of(kUser),    keys_of(kCommand)};
}

}  // namespace mayfly
