#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "mayfly/profile/check.h"

namespace mayfly {

// The one list of what checks can look at: the profile language, its evaluation and Goss's import are made from it.

enum class ValueType {
  boolean,
  integer,
  mode,     ///< an integer that is written in octal
  text,     ///< one word or line
  path,     ///< a text
  number,   ///< a text that may be a number: a sysctl's value
  version,  ///< a text, ordered as Debian orders versions
  content,  ///< a text of many lines
  list,     ///< texts, in no order
};

/// When an attribute is demanded though the profile doesn't write it, with its value `true`, or `implied_value`.
enum class Implied { never, by_short_form, always };

struct Attribute {
  std::string_view name;
  ValueType type = ValueType::text;
  Implied implied = Implied::never;
  std::int64_t implied_value = 0;  ///< for integers
  std::int64_t least = 0;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

enum class OptionType { text, texts, boolean, duration };

/// A key that says how to look.
struct CheckOption {
  std::string_view name;
  OptionType type = OptionType::text;
  std::span<const std::string_view> words{};  ///< of texts: the only ones; empty: any
};

struct ResourceSpec {
  Resource resource;
  std::string_view name;     ///< the key of [[check]]
  std::string_view subject;  ///< the key that a short form stands for
  enum class SubjectType { word, path, port, argv } subject_type = SubjectType::word;
  /// The boolean attribute without which there is nothing else to look at; empty: none.
  std::string_view existence{};
  std::string_view noun{};  ///< "there is no such ...", when its `existence` isn't told by the attribute itself
  std::span<const Attribute> attributes{};
  std::span<const CheckOption> options{};

  [[nodiscard]] const Attribute* find(std::string_view attribute) const noexcept;
};

/// In the order of the documentation.
[[nodiscard]] std::span<const ResourceSpec> resources() noexcept;
[[nodiscard]] const ResourceSpec& spec_of(Resource resource) noexcept;

}  // namespace mayfly
