#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mayfly/profile/resources.h"

namespace mayfly {

/// Whether the value is as expected. A value of another kind than the expectation's (a number in place of a text)
/// isn't.
[[nodiscard]] bool holds(const Expectation& expected, const Value& is, ValueType type);

/// Those parts of a conjunction that don't hold, to be told one by one; the whole when it is none.
[[nodiscard]] std::vector<const Expectation*> failing_parts(const Expectation& expected, const Value& is,
                                                            ValueType type);

/// In the words of "expected ...": `'root'`, `0644`, `to contain 'x'`, `>= 1.22`, `not to match '^#'`.
[[nodiscard]] std::string demand_text(const Expectation& expected, ValueType type);
/// In the words of a title: `mode 0644`, `content contains 'x'`, `running`, `does not exist`.
[[nodiscard]] std::string title_text(std::string_view attribute, const Expectation& expected, ValueType type);
/// `'root'`, `0644`, `true`, `'a', 'b'`.
[[nodiscard]] std::string value_text(const Value& value, ValueType type);

/// The text that an expectation looks for, for nearby_lines(); empty when it looks for none.
[[nodiscard]] std::string wanted_text(const Expectation& expected);

/// The lines of a text that are most like `wanted`, with their numbers and neighbours; the first ones when none is like
/// it; each line begins with a line break:
/// ```
///     11 | events {
///     12 |   worker_connections 768;
///     13 | }
/// ```
[[nodiscard]] std::string nearby_lines(std::string_view text, std::string_view wanted);

}  // namespace mayfly
