#include "mayfly/profile/document.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <sstream>
#include <tuple>
#include <utility>

#include "mayfly/profile/diagnostic.h"

namespace mayfly {
namespace {

using Kind = DocumentNode::Kind;

// The end of a region is exclusive; a value over several lines is marked by its first character.
Place place_of(const toml::source_region& region) {
  const auto column = static_cast<int>(region.begin.column);
  const bool one_line = region.end.line == region.begin.line && region.end.column > region.begin.column;
  return {.line = std::max(1, static_cast<int>(region.begin.line)),
          .column = std::max(1, column),
          .length = one_line ? static_cast<int>(region.end.column) - column : 1};
}

DocumentNode convert(const toml::node& node);

DocumentNode convert_table(const toml::table& table) {
  DocumentNode result{.kind = Kind::table};
  for (auto&& [key, value] : table) {
    result.entries.push_back({.key = std::string(key.str()), .place = place_of(key.source()), .value = convert(value)});
  }
  // toml++ iterates in the order of keys.
  std::stable_sort(result.entries.begin(), result.entries.end(), [](const DocumentEntry& a, const DocumentEntry& b) {
    return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
  });
  return result;
}

template <typename Time>
DocumentNode convert_time(const Time& value) {
  std::ostringstream text;
  text << value;
  return {.kind = Kind::time, .text = text.str()};
}

DocumentNode convert_value(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    return convert_table(*table);
  }
  if (const auto* array = node.as_array()) {
    DocumentNode result{.kind = Kind::array};
    for (const toml::node& item : *array) {
      result.items.push_back(convert(item));
    }
    return result;
  }
  if (const auto* text = node.as_string()) {
    return {.kind = Kind::text, .text = text->get()};
  }
  if (const auto* integer = node.as_integer()) {
    const bool octal = (integer->flags() & toml::value_flags::format_as_octal) != toml::value_flags::none;
    return {.kind = Kind::integer, .integer = integer->get(), .octal = octal};
  }
  if (const auto* real = node.as_floating_point()) {
    return {.kind = Kind::real, .real = real->get()};
  }
  if (const auto* boolean = node.as_boolean()) {
    return {.kind = Kind::boolean, .boolean = boolean->get()};
  }
  if (const auto* date = node.as_date()) {
    return convert_time(date->get());
  }
  if (const auto* time = node.as_time()) {
    return convert_time(time->get());
  }
  return convert_time(node.as_date_time()->get());
}

DocumentNode convert(const toml::node& node) {
  DocumentNode result = convert_value(node);
  result.place = place_of(node.source());
  return result;
}

// "Error while parsing array: encountered end-of-file" -> "syntax error in array: encountered end-of-file"
std::string syntax_message(std::string_view description) {
  constexpr std::string_view kPrefix = "Error while parsing ";
  if (description.starts_with(kPrefix)) {
    return fmt::format("syntax error in {}", description.substr(kPrefix.size()));
  }
  std::string text(description);
  if (!text.empty() && text.front() >= 'A' && text.front() <= 'Z') {
    text.front() = static_cast<char>(text.front() - 'A' + 'a');
  }
  return fmt::format("syntax error: {}", text);
}

// The commonest mistake, network = nat, for which toml++ has many texts ("expected 'nan', saw 'nat'"), most of them far
// from the point: finds the bare word at the place of the error.
std::optional<Diagnostic> bare_word(std::string_view toml, const Place& place) {
  for (int line = 1; line < place.line; ++line) {
    toml.remove_prefix(std::min(toml.find('\n'), toml.size() - 1) + 1);
  }
  const std::string_view line = toml.substr(0, toml.find_first_of("\r\n"));
  const auto at = static_cast<std::size_t>(place.column - 1);
  const std::size_t equals = line.substr(0, at).rfind('=');
  const bool ascii = std::all_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii || equals == std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t begin = line.find_first_not_of(" \t", equals + 1);
  if (begin == std::string_view::npos || std::isalpha(static_cast<unsigned char>(line[begin])) == 0) {
    return std::nullopt;
  }
  const std::string_view word = line.substr(begin, line.find_first_of(" \t,]}#", begin) - begin);
  if (at < begin || at > begin + word.size()) {
    return std::nullopt;
  }
  return Diagnostic{.line = place.line,
                    .column = static_cast<int>(begin) + 1,
                    .length = static_cast<int>(word.size()),
                    .message = fmt::format("syntax error: '{}' is not a value", word),
                    .hint = fmt::format("texts stand in quotes: \"{}\"", word)};
}

Diagnostic syntax_diagnostic(std::string_view toml, const toml::parse_error& error) {
  const Place place = place_of(error.source());
  if (auto diagnostic = bare_word(toml, place)) {
    return *std::move(diagnostic);
  }
  const bool twice = error.description().find("redefine") != std::string_view::npos;
  return {.line = place.line,
          .column = place.column,
          .length = place.length,
          .message = syntax_message(error.description()),
          .hint = twice ? "a key or table stands once in a file; for several of a kind write [[...]]" : ""};
}

}  // namespace

const DocumentEntry* DocumentNode::find(std::string_view key) const noexcept {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

DocumentNode parse_document(std::string_view toml, std::string_view name) {
  try {
    return convert(toml::parse(toml, name));
  } catch (const toml::parse_error& error) {
    throw ProfileError(name, toml, {syntax_diagnostic(toml, error)});
  }
}

std::string_view describe(DocumentNode::Kind kind) noexcept {
  switch (kind) {
    case Kind::text:
      return "a string";
    case Kind::integer:
      return "an integer";
    case Kind::real:
      return "a number with a fraction";
    case Kind::boolean:
      return "a boolean";
    case Kind::time:
      return "a date or time";
    case Kind::array:
      return "an array";
    case Kind::table:
      break;
  }
  return "a table";
}

}  // namespace mayfly
