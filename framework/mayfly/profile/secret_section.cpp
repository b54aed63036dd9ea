#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "mayfly/profile/sections.h"
#include "mayfly/profile/values.h"

namespace mayfly {
namespace {

constexpr Schema<SecretSource, 2> kSecret{
    .title = "'secrets'",
    .fields = {{{"env", into<SecretSource, &SecretSource::env, read_word>, Need::choice},
                {"file", into<SecretSource, &SecretSource::file, read_file_path>, Need::choice}}}};

// Names become environment variables and variables of each tool's language.
bool is_variable_name(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

}  // namespace

std::optional<std::map<std::string, SecretSource>> read_secrets(Reader& reader, std::string_view name,
                                                                const DocumentNode& node) {
  if (node.kind != DocumentNode::Kind::table) {
    reader.wrong_type(name, node, "a table", "secrets = { db_password = { env = \"DB_PASSWORD\" } }");
    return std::nullopt;
  }
  std::map<std::string, SecretSource> secrets;
  for (const DocumentEntry& entry : node.entries) {
    if (!is_variable_name(entry.key)) {
      reader.error(entry.place, fmt::format("'{}' can't be the name of a secret: letters, digits and '_'", entry.key));
    } else if (entry.value.kind == DocumentNode::Kind::text) {
      reader.error(entry.value.place, fmt::format("the secret '{}' must not stand in the profile", entry.key),
                   R"(say where it is: { env = "NAME" } or { file = "path" })");
    } else {
      read_table(reader, kSecret, entry.key, entry.value, secrets[entry.key]);
    }
  }
  return secrets;
}

TableKeys secret_table() { return keys_of(kSecret); }

}  // namespace mayfly
