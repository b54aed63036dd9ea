#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/profile/profile.h"
#include "mayfly/profile/reader.h"

namespace mayfly {

// The sections of a profile: Field::read functions for the top level.
void read_image(Reader&, std::string_view name, const DocumentNode&, Profile&);
void read_init(Reader&, std::string_view name, const DocumentNode&, Profile&);
void read_provision(Reader&, std::string_view name, const DocumentNode&, Profile&);
void read_checks(Reader&, std::string_view name, const DocumentNode&, Profile&);
void read_scenario(Reader&, std::string_view name, const DocumentNode&, Profile&);
void read_idempotence(Reader&, std::string_view name, const DocumentNode&, Profile&);
void read_matrix(Reader&, std::string_view name, const DocumentNode&, Profile&);
// Written as [[provision]] is.
void read_prepare(Reader&, std::string_view name, const DocumentNode&, Profile&);
void read_side_effect(Reader&, std::string_view name, const DocumentNode&, Profile&);
void read_cleanup(Reader&, std::string_view name, const DocumentNode&, Profile&);

/// What of the matrix depends on the rest of the profile, once that is read.
void check_matrix(Reader&, const DocumentNode& document, const Profile&);

// Values that stand in more than one section.
[[nodiscard]] std::optional<std::string> read_suite(Reader&, std::string_view name, const DocumentNode&);
/// Of a step: where each secret is.
[[nodiscard]] std::optional<std::map<std::string, SecretSource>> read_secrets(Reader&, std::string_view name,
                                                                              const DocumentNode&);
inline constexpr std::array<std::string_view, 3> kNetworkNames = {"none", "host", "nat"};  ///< as enum Network

/// A table of the profile language with its keys: what docs/profile.md has to describe.
struct TableKeys {
  std::string_view title;  ///< "[image]"; empty: the top level
  std::vector<std::string_view> keys;
};

[[nodiscard]] std::vector<TableKeys> image_tables();
[[nodiscard]] std::vector<TableKeys> init_tables();
[[nodiscard]] std::vector<TableKeys> provision_tables();
[[nodiscard]] TableKeys secret_table();
[[nodiscard]] std::vector<TableKeys> check_tables();
[[nodiscard]] std::vector<TableKeys> scenario_tables();
/// Those and the ones of the top level.
[[nodiscard]] std::vector<TableKeys> all_tables();

template <typename T, std::size_t N>
[[nodiscard]] TableKeys keys_of(const Schema<T, N>& schema) {
  TableKeys result{.title = schema.title};
  for (const Field<T>& field : schema.fields) {
    result.keys.push_back(field.key);
  }
  return result;
}

/// Reads an array of tables ([[provision]], [[check]]): calls `read_item` for each.
template <typename ReadItem>
void read_array_of_tables(Reader& reader, std::string_view name, const DocumentNode& node, ReadItem&& read_item) {
  if (node.kind != DocumentNode::Kind::array) {
    reader.wrong_type(name, node, "an array of tables",
                      "write [[" + std::string(name) + "]], with two brackets, once for each");
    return;
  }
  for (const DocumentNode& item : node.items) {
    read_item(item);
  }
}

}  // namespace mayfly
