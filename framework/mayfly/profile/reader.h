#pragma once

#include <array>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mayfly/profile/diagnostic.h"
#include "mayfly/profile/document.h"

namespace mayfly {

/// Whether a key of a table has to be there. Of all `choice` keys of a table, exactly one.
enum class Need { optional, required, choice };

struct Key {
  std::string_view name;
  Need need = Need::optional;
};

/// Collects what is wrong in a document while it is read.
class Reader {
 public:
  explicit Reader(std::filesystem::path directory) : directory_(std::move(directory)) {}

  void error(Place place, std::string message, std::string hint = {});
  /// `'memory' must be a size, not an integer`
  void wrong_type(std::string_view name, const DocumentNode& node, std::string_view expected, std::string hint = {});

  /// Reports unknown and missing keys of a table. `title` as the profile writes it: "[image]"; empty: the top level.
  void check_keys(std::string_view title, const DocumentNode& table, std::span<const Key> keys);
  /// Reports a missing key, unless another key of the table was taken for a misspelling of it.
  void missing(const DocumentNode& table, std::string_view key, std::string message, std::string hint = {});

  /// Relative paths start here.
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }
  [[nodiscard]] std::vector<Diagnostic> take_diagnostics() { return std::exchange(diagnostics_, {}); }

 private:
  std::filesystem::path directory_;
  std::vector<Diagnostic> diagnostics_;
  std::set<std::pair<const DocumentNode*, std::string_view>> suggested_;
};

/// One line of the schema: a key of the table that fills a T.
template <typename T>
struct Field {
  std::string_view key;
  void (*read)(Reader& reader, std::string_view name, const DocumentNode& node, T& out);
  Need need = Need::optional;
};

/// The schema of a table. `shorthand`: the key that a value other than a table stands for (`shell = "setup.sh"`).
template <typename T, std::size_t N>
struct Schema {
  std::string_view title;
  std::array<Field<T>, N> fields;
  std::string_view shorthand{};

  [[nodiscard]] constexpr std::array<Key, N> keys() const {
    std::array<Key, N> result{};
    for (std::size_t i = 0; i < N; ++i) {
      result[i] = {fields[i].key, fields[i].need};
    }
    return result;
  }
};

template <typename T, std::size_t N>
void read_table(Reader& reader, const Schema<T, N>& schema, std::string_view name, const DocumentNode& node, T& out) {
  if (node.kind != DocumentNode::Kind::table) {
    for (const Field<T>& field : schema.fields) {
      if (!schema.shorthand.empty() && field.key == schema.shorthand) {
        field.read(reader, name, node, out);
        return;
      }
    }
    reader.wrong_type(name, node, "a table");
    return;
  }
  reader.check_keys(schema.title, node, schema.keys());
  for (const DocumentEntry& entry : node.entries) {
    for (const Field<T>& field : schema.fields) {
      if (field.key == entry.key) {
        field.read(reader, entry.key, entry.value, out);
      }
    }
  }
}

/// A Field::read that stores what `Read` makes of the value; a wrong value, which Read has reported, leaves the
/// default.
template <typename T, auto Member, auto Read>
void into(Reader& reader, std::string_view name, const DocumentNode& node, T& out) {
  if (auto value = Read(reader, name, node)) {
    out.*Member = *std::move(value);  // NOLINT(bugprone-optional-value-conversion): the member may be optional, too
  }
}

/// A Field::read for an inner table with a schema of its own.
template <typename T, auto Member, const auto& Inner>
void into_table(Reader& reader, std::string_view name, const DocumentNode& node, T& out) {
  read_table(reader, Inner, name, node, out.*Member);
}

}  // namespace mayfly
