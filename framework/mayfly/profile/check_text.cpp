#include "mayfly/profile/check_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mayfly/profile/resources.h"

namespace mayfly {
namespace {

using Operator = Expectation::Operator;
using List = std::vector<std::string>;

std::string toml_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += fmt::format("\\{}", c);
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      result += fmt::format("\\u{:04X}", byte);
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string array_of(const List& items) { return items.empty() ? "[]" : fmt::format("[{}]", fmt::join(items, ", ")); }

std::string plain(const Value& value, ValueType type) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return type == ValueType::mode ? fmt::format("\"{:04o}\"", *integer) : fmt::format("{}", *integer);
  }
  if (const auto* list = std::get_if<List>(&value)) {
    List items;
    std::transform(list->begin(), list->end(), std::back_inserter(items), toml_string);
    return array_of(items);
  }
  return toml_string(std::get<std::string>(value));
}

std::string_view key_of(Operator op) {
  switch (op) {
    case Operator::equals:
      return "equals";
    case Operator::contains:
    case Operator::has_element:
      return "contains";
    case Operator::matches:
      return "matches";
    case Operator::starts_with:
      return "starts_with";
    case Operator::ends_with:
      return "ends_with";
    case Operator::less:
      return "lt";
    case Operator::at_most:
      return "le";
    case Operator::greater:
      return "gt";
    case Operator::at_least:
      return "ge";
    case Operator::semver:
      return "semver";
    case Operator::debian:
      return "debian_version";
    case Operator::length:
      return "length";
    case Operator::all:
      return "and";
    case Operator::any:
      return "or";
    case Operator::negation:
      break;
  }
  return "not";
}

std::string condition(const Expectation& expected, ValueType type);

List conditions(const Expectation& expected, ValueType type) {
  List items;
  for (const Expectation& inner : expected.inner) items.push_back(condition(inner, type));
  return items;
}

// What is written behind the operator's key.
std::string operand(const Expectation& expected, ValueType type) {
  switch (expected.op) {
    case Operator::has_element:
      return condition(expected.inner.at(0), ValueType::text);
    case Operator::length:
      return condition(expected.inner.at(0), ValueType::integer);
    case Operator::negation:
      return condition(expected.inner.at(0), type);
    case Operator::all:
    case Operator::any:
      return array_of(conditions(expected, type));
    default:
      return plain(expected.value, ValueType::integer);
  }
}

bool is_element(const Expectation& expected) { return expected.op == Operator::has_element; }

std::string condition(const Expectation& expected, ValueType type) {
  if (expected.op == Operator::equals && type != ValueType::list) return plain(expected.value, type);
  if (is_element(expected) && expected.inner.at(0).op == Operator::equals) {
    return plain(expected.inner.at(0).value, ValueType::text);
  }
  if (expected.op == Operator::all && std::all_of(expected.inner.begin(), expected.inner.end(), is_element)) {
    List items;
    for (const Expectation& inner : expected.inner) items.push_back(condition(inner.inner.at(0), ValueType::text));
    return array_of(items);
  }
  const auto entry = [&](const Expectation& one) { return fmt::format("{} = {}", key_of(one.op), operand(one, type)); };
  if (expected.op == Operator::all) {
    // A table, unless an operator stands twice.
    List entries;
    std::vector<std::string_view> keys;
    for (const Expectation& inner : expected.inner) {
      entries.push_back(entry(inner));
      keys.push_back(key_of(inner.op));
    }
    std::sort(keys.begin(), keys.end());
    if (!keys.empty() && std::adjacent_find(keys.begin(), keys.end()) == keys.end()) {
      return fmt::format("{{ {} }}", fmt::join(entries, ", "));
    }
  }
  return fmt::format("{{ {} }}", entry(expected));
}

std::string option_text(const CheckOption& option, const Value& value) {
  if (option.type != OptionType::duration) return plain(value, ValueType::text);
  return fmt::format("\"{}ms\"", std::get<std::int64_t>(value));
}

std::string to_toml(const Check& check) {
  const ResourceSpec& spec = spec_of(check.resource);
  std::string subject = toml_string(check.subject);
  if (spec.subject_type == ResourceSpec::SubjectType::port) subject = check.subject;
  if (spec.subject_type == ResourceSpec::SubjectType::argv) subject = plain(check.argv, ValueType::list);
  List entries{fmt::format("{} = {}", spec.subject, subject)};
  for (const CheckOption& option : spec.options) {
    const auto set = check.options.find(std::string(option.name));
    if (set != check.options.end()) {
      entries.push_back(fmt::format("{} = {}", option.name, option_text(option, set->second)));
    }
  }
  for (const Demand& demand : check.demands) {
    entries.push_back(
        fmt::format("{} = {}", demand.attribute, condition(demand.expected, spec.find(demand.attribute)->type)));
  }
  std::string text = fmt::format("[[check]]\n{} = {{ {} }}\n", spec.name, fmt::join(entries, ", "));
  if (!check.title.empty()) text += fmt::format("title = {}\n", toml_string(check.title));
  if (check.within) text += fmt::format("within = \"{}ms\"\n", check.within->count());
  return text;
}

}  // namespace

std::string to_toml(const std::vector<Check>& checks) {
  std::string text;
  for (const Check& check : checks) text += (text.empty() ? "" : "\n") + to_toml(check);
  return text;
}

}  // namespace mayfly
