#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace mayfly {

/// What an attribute of a resource is, and what a check compares it with.
using Value = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

/// A condition on one value, as a tree: `"0644"`, `{ contains = ["a", "b"], not = { matches = "^x" } }`. A plain value;
/// facts/expectation.h tells whether it holds.
struct Expectation {
  enum class Operator {
    equals,       ///< `equals`, and a value without an operator; lists in any order
    contains,     ///< of a text: `contains`
    matches,      ///< `matches`: a regular expression, anywhere in the text
    starts_with,  ///< `starts_with`
    ends_with,    ///< `ends_with`
    less,         ///< `lt`; of numbers, of texts that are numbers, and of package versions in Debian's order
    at_most,      ///< `le`
    greater,      ///< `gt`
    at_least,     ///< `ge`
    semver,       ///< `semver`: a range of semantic versions
    debian,       ///< `debian_version`: a range of Debian's versions
    length,       ///< `length`: the inner one holds for the size of the text or list
    has_element,  ///< the inner one holds for an element of the list
    all,          ///< `and`: each inner one holds
    any,          ///< `or`: one of the inner ones holds
    negation,     ///< `not`: the inner one doesn't hold
  };
  Operator op = Operator::equals;
  Value value{};
  std::vector<Expectation> inner{};
  friend bool operator==(const Expectation&, const Expectation&) = default;
};

}  // namespace mayfly
