#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// Where a token stands in the text: line and column from 1, length in columns (characters, not bytes).
struct Place {
  int line = 1;
  int column = 1;
  int length = 1;
};

struct DocumentEntry;

/// A TOML value with its place. What it holds depends on `kind`.
struct DocumentNode {
  enum class Kind { text, integer, real, boolean, time, array, table };
  Kind kind = Kind::table;
  std::string text{};                  ///< text; time, as TOML writes it
  std::int64_t integer = 0;            ///< integer
  bool octal = false;                  ///< integer that was written as 0o...
  double real = 0;                     ///< real
  bool boolean = false;                ///< boolean
  std::vector<DocumentNode> items{};   ///< array
  std::vector<DocumentEntry> entries;  ///< table, in the order of the file
  Place place{};

  [[nodiscard]] const DocumentEntry* find(std::string_view key) const noexcept;
};

struct DocumentEntry {
  std::string key;
  Place place;  ///< the key's
  DocumentNode value;
};

/// Reads TOML: the only place that sees toml++.
/// @throws ProfileError with one diagnostic for a syntax error; the parser stops at the first
[[nodiscard]] DocumentNode parse_document(std::string_view toml, std::string_view name);

/// For messages: "an integer", "a table".
[[nodiscard]] std::string_view describe(DocumentNode::Kind kind) noexcept;

}  // namespace mayfly
