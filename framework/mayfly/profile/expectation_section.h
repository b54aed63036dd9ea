#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "mayfly/profile/reader.h"
#include "mayfly/profile/resources.h"

namespace mayfly {

/// Reads what an attribute has to be: a plain value or a table of operators. What doesn't fit the attribute's type, and
/// expressions and versions that are none, are reported at their place.
[[nodiscard]] std::optional<Expectation> read_expectation(Reader& reader, const Attribute& attribute,
                                                          const DocumentNode& node);

/// Every operator's key.
[[nodiscard]] std::span<const std::string_view> operator_keys() noexcept;

}  // namespace mayfly
