#include "mayfly/facts/expectation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "mayfly/support/lines.h"
#include "mayfly/support/pattern.h"
#include "mayfly/support/version.h"

namespace mayfly {
namespace {

using Operator = Expectation::Operator;
using List = std::vector<std::string>;

std::optional<double> number_of(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return std::nullopt;
  const std::size_t first = text->find_first_not_of(" \t\n");
  if (first == std::string::npos) return std::nullopt;
  const std::size_t last = text->find_last_not_of(" \t\n") + 1;
  double number = 0;
  const auto [end, error] = std::from_chars(text->data() + first, text->data() + last, number);
  return error == std::errc{} && end == text->data() + last ? std::optional(number) : std::nullopt;
}

std::optional<int> order_of(const Value& a, const Value& b, ValueType type) {
  if (type == ValueType::version) {
    const auto* first = std::get_if<std::string>(&a);
    const auto* second = std::get_if<std::string>(&b);
    if (first == nullptr || second == nullptr) return std::nullopt;
    return compare_debian_versions(*first, *second);
  }
  const auto first = number_of(a);
  const auto second = number_of(b);
  if (!first || !second) return std::nullopt;
  return *first < *second ? -1 : *first > *second ? 1 : 0;
}

bool equal(const Value& expected, const Value& is) {
  const auto* wanted = std::get_if<List>(&expected);
  const auto* found = std::get_if<List>(&is);
  if (wanted == nullptr || found == nullptr) return expected == is;
  return std::is_permutation(wanted->begin(), wanted->end(), found->begin(), found->end());
}

bool text_holds(const Expectation& expected, const std::string& is) {
  const auto& wanted = std::get<std::string>(expected.value);
  switch (expected.op) {
    case Operator::contains:
      return is.find(wanted) != std::string::npos;
    case Operator::matches:
      return Pattern(wanted).found_in(is);
    case Operator::starts_with:
      return is.starts_with(wanted);
    case Operator::ends_with:
      return is.ends_with(wanted);
    case Operator::semver:
      return VersionRange(VersionScheme::semantic, wanted).contains(is);
    default:
      return VersionRange(VersionScheme::debian, wanted).contains(is);
  }
}

std::int64_t size_of(const Value& value) {
  if (const auto* list = std::get_if<List>(&value)) return std::ssize(*list);
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? 0 : std::ssize(*text);
}

struct Verb {
  std::string_view infinitive, finite;
};

Verb verb_of(Operator op) {
  switch (op) {
    case Operator::matches:
      return {"match", "matches"};
    case Operator::starts_with:
      return {"start with", "starts with"};
    case Operator::ends_with:
      return {"end with", "ends with"};
    case Operator::semver:
    case Operator::debian:
      return {"be", "is"};
    default:
      return {"contain", "contains"};
  }
}

enum class Form { demand, title };

std::string phrase(const Expectation& expected, ValueType type, Form form, bool negated);

std::string joined(const Expectation& expected, ValueType type, Form form, bool negated) {
  List parts;
  for (const Expectation& inner : expected.inner) parts.push_back(phrase(inner, type, form, negated));
  // What isn't both is not the one or not the other.
  return fmt::format("{}", fmt::join(parts, (expected.op == Operator::any) != negated ? " or " : " and "));
}

std::string phrase(const Expectation& expected, ValueType type, Form form, bool negated) {
  const std::string_view no = negated ? "not " : "";
  const auto with_verb = [&](const Verb& verb, std::string_view object) {
    if (form == Form::demand) return fmt::format("{}to {} {}", no, verb.infinitive, object);
    return negated ? fmt::format("doesn't {} {}", verb.infinitive, object) : fmt::format("{} {}", verb.finite, object);
  };
  switch (expected.op) {
    case Operator::equals: {
      const std::string exactly = std::holds_alternative<List>(expected.value) ? "exactly " : "";
      return fmt::format("{}{}{}", no, exactly, value_text(expected.value, type));
    }
    case Operator::less:
      return fmt::format("{}< {}", no, value_text(expected.value, ValueType::integer));
    case Operator::at_most:
      return fmt::format("{}<= {}", no, value_text(expected.value, ValueType::integer));
    case Operator::greater:
      return fmt::format("{}> {}", no, value_text(expected.value, ValueType::integer));
    case Operator::at_least:
      return fmt::format("{}>= {}", no, value_text(expected.value, ValueType::integer));
    case Operator::length:
      return fmt::format("a length of {}", phrase(expected.inner.at(0), ValueType::integer, form, negated));
    case Operator::has_element: {
      const Expectation& inner = expected.inner.at(0);
      return with_verb({"contain", "contains"},
                       inner.op == Operator::equals
                           ? value_text(inner.value, ValueType::text)
                           : fmt::format("what {}", phrase(inner, ValueType::text, Form::title, false)));
    }
    case Operator::all:
    case Operator::any:
      return joined(expected, type, form, negated);
    case Operator::negation:
      return phrase(expected.inner.at(0), type, form, !negated);
    default:
      return with_verb(verb_of(expected.op), value_text(expected.value, ValueType::text));
  }
}

std::string spaced(std::string_view attribute) {
  std::string words(attribute);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

// Which part of the wanted text's pairs of characters the line has.
double likeness(std::string_view line, std::string_view wanted) {
  if (wanted.size() < 2) return line.find(wanted) != std::string_view::npos ? 1 : 0;
  std::size_t common = 0;
  for (std::size_t i = 0; i + 1 < wanted.size(); ++i) {
    common += line.find(wanted.substr(i, 2)) != std::string_view::npos ? 1 : 0;
  }
  return static_cast<double>(common) / static_cast<double>(wanted.size() - 1);
}

}  // namespace

bool holds(const Expectation& expected, const Value& is, ValueType type) {
  const auto inner_holds = [&](const Expectation& inner) { return holds(inner, is, type); };
  switch (expected.op) {
    case Operator::equals:
      return equal(expected.value, is);
    case Operator::less:
    case Operator::at_most:
    case Operator::greater:
    case Operator::at_least: {
      const auto order = order_of(is, expected.value, type);
      if (!order) return false;
      if (expected.op == Operator::less) return *order < 0;
      if (expected.op == Operator::at_most) return *order <= 0;
      return expected.op == Operator::greater ? *order > 0 : *order >= 0;
    }
    case Operator::length:
      return holds(expected.inner.at(0), Value(size_of(is)), ValueType::integer);
    case Operator::has_element: {
      const auto* list = std::get_if<List>(&is);
      return list != nullptr && std::any_of(list->begin(), list->end(), [&](const std::string& element) {
               return holds(expected.inner.at(0), Value(element), ValueType::text);
             });
    }
    case Operator::all:
      return std::all_of(expected.inner.begin(), expected.inner.end(), inner_holds);
    case Operator::any:
      return std::any_of(expected.inner.begin(), expected.inner.end(), inner_holds);
    case Operator::negation:
      return !holds(expected.inner.at(0), is, type);
    default: {
      const auto* text = std::get_if<std::string>(&is);
      return text != nullptr && text_holds(expected, *text);
    }
  }
}

std::vector<const Expectation*> failing_parts(const Expectation& expected, const Value& is, ValueType type) {
  if (holds(expected, is, type)) return {};
  if (expected.op != Operator::all) return {&expected};
  std::vector<const Expectation*> parts;
  for (const Expectation& inner : expected.inner) {
    const auto failing = failing_parts(inner, is, type);
    parts.insert(parts.end(), failing.begin(), failing.end());
  }
  return parts;
}

std::string demand_text(const Expectation& expected, ValueType type) {
  return phrase(expected, type, Form::demand, false);
}

std::string title_text(std::string_view attribute, const Expectation& expected, ValueType type) {
  if (const bool* flag = std::get_if<bool>(&expected.value); flag != nullptr && expected.op == Operator::equals) {
    if (attribute == "exists") return *flag ? "exists" : "does not exist";
    return fmt::format("{}{}", *flag ? "" : "not ", spaced(attribute));
  }
  return fmt::format("{} {}", spaced(attribute), phrase(expected, type, Form::title, false));
}

std::string value_text(const Value& value, ValueType type) {
  constexpr std::size_t kMost = 200;
  const auto quoted = [](const std::string& text) {
    std::string_view shown = text;
    while (shown.ends_with('\n')) shown.remove_suffix(1);
    return shown.size() <= kMost ? fmt::format("'{}'", shown) : fmt::format("'{}...'", shown.substr(0, kMost));
  };
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return type == ValueType::mode ? fmt::format("{:04o}", *integer) : fmt::format("{}", *integer);
  }
  if (const auto* list = std::get_if<List>(&value)) {
    List texts;
    std::transform(list->begin(), list->end(), std::back_inserter(texts), quoted);
    return texts.empty() ? "empty" : fmt::format("{}", fmt::join(texts, ", "));
  }
  // What is ordered reads better without quotes: ">= 1.22".
  return type == ValueType::integer ? std::get<std::string>(value) : quoted(std::get<std::string>(value));
}

std::string wanted_text(const Expectation& expected) {
  if (!expected.inner.empty()) return wanted_text(expected.inner.front());
  const auto* text = std::get_if<std::string>(&expected.value);
  return text == nullptr ? std::string() : text->substr(0, text->find('\n'));
}

std::string nearby_lines(std::string_view text, std::string_view wanted) {
  constexpr double kAlike = 0.5;
  constexpr std::size_t kAround = 1;
  constexpr std::size_t kFirst = 5;
  constexpr std::size_t kWidest = 160;
  const std::vector<std::string_view> lines = lines_of(text);
  if (lines.empty()) return " (it is empty)";
  std::size_t begin = 0;
  std::size_t end = std::min(kFirst, lines.size());
  double best = kAlike;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (const double alike = likeness(lines[i], wanted); alike > best) {
      best = alike;
      begin = i < kAround ? 0 : i - kAround;
      end = std::min(i + kAround + 1, lines.size());
    }
  }
  std::string shown;
  for (std::size_t i = begin; i < end; ++i) shown += fmt::format("\n{:5} | {}", i + 1, lines[i].substr(0, kWidest));
  if (best <= kAlike && end < lines.size()) shown += fmt::format("\n      | ... {} lines in all", lines.size());
  return shown;
}

}  // namespace mayfly
