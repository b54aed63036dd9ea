#include "mayfly/profile/secret_place.h"

#include <string>

#include "mayfly/profile/document.h"

namespace mayfly {
namespace {

bool is_from(const DocumentNode& node, const SecretSource& source) {
  const DocumentEntry* env = node.find("env");
  const DocumentEntry* file = node.find("file");
  // Paths in the profile are relative to its directory.
  return source.file.empty() ? env != nullptr && env->value.text == source.env
                             : file != nullptr && source.file.string().ends_with(file->value.text);
}

const DocumentEntry* find_secret(const DocumentNode& node, std::string_view name, const SecretSource& source) {
  for (const DocumentEntry& entry : node.entries) {
    const DocumentEntry* secret = entry.key == "secrets" ? entry.value.find(name) : nullptr;
    if (secret != nullptr && is_from(secret->value, source)) return secret;
    if (const DocumentEntry* found = find_secret(entry.value, name, source)) return found;
  }
  for (const DocumentNode& item : node.items) {
    if (const DocumentEntry* found = find_secret(item, name, source)) return found;
  }
  return nullptr;
}

}  // namespace

Diagnostic place_of_secret(std::string_view toml, std::string_view name, const SecretSource& source) {
  Diagnostic diagnostic{.line = 1, .column = 1, .length = 1};
  const DocumentNode document = parse_document(toml, "a profile");
  if (const DocumentEntry* found = find_secret(document, name, source)) {
    diagnostic.line = found->place.line;
    diagnostic.column = found->place.column;
    diagnostic.length = found->place.length;
  }
  return diagnostic;
}

}  // namespace mayfly
