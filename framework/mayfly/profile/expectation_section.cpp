#include "mayfly/profile/expectation_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mayfly/profile/values.h"
#include "mayfly/support/pattern.h"
#include "mayfly/support/version.h"

namespace mayfly {
namespace {

using Kind = DocumentNode::Kind;
using Operator = Expectation::Operator;
using Read = std::optional<Expectation>;

struct OperatorKey {
  std::string_view key;
  Operator op;
};

constexpr std::array<OperatorKey, 15> kOperators{{{"equals", Operator::equals},
                                                  {"contains", Operator::contains},
                                                  {"matches", Operator::matches},
                                                  {"starts_with", Operator::starts_with},
                                                  {"ends_with", Operator::ends_with},
                                                  {"lt", Operator::less},
                                                  {"le", Operator::at_most},
                                                  {"gt", Operator::greater},
                                                  {"ge", Operator::at_least},
                                                  {"semver", Operator::semver},
                                                  {"debian_version", Operator::debian},
                                                  {"length", Operator::length},
                                                  {"and", Operator::all},
                                                  {"or", Operator::any},
                                                  {"not", Operator::negation}}};

constexpr auto kOperatorKeys = [] {
  std::array<std::string_view, kOperators.size()> keys{};
  std::transform(kOperators.begin(), kOperators.end(), keys.begin(), [](const auto& entry) { return entry.key; });
  return keys;
}();

bool is_text(ValueType type) {
  return type == ValueType::text || type == ValueType::path || type == ValueType::number ||
         type == ValueType::version || type == ValueType::content;
}

bool fits(Operator op, ValueType type) {
  switch (op) {
    case Operator::equals:
    case Operator::all:
    case Operator::any:
    case Operator::negation:
      return true;
    case Operator::less:
    case Operator::at_most:
    case Operator::greater:
    case Operator::at_least:
      return type == ValueType::integer || type == ValueType::number || type == ValueType::version ||
             type == ValueType::content;
    default:
      return type == ValueType::list || is_text(type);
  }
}

std::string_view name_of(ValueType type) {
  switch (type) {
    case ValueType::boolean:
      return "true or false";
    case ValueType::integer:
      return "a number";
    case ValueType::mode:
      return "a file mode";
    case ValueType::list:
      return "a list";
    default:
      return "a text";
  }
}

class ExpectationReader {
 public:
  ExpectationReader(Reader& reader, const Attribute& attribute) : reader_(reader), attribute_(attribute) {}

  Read read(const DocumentNode& node) const {
    if (node.kind != Kind::table) return plain(node);
    std::array<Key, kOperators.size()> keys{};
    std::transform(kOperators.begin(), kOperators.end(), keys.begin(),
                   [](const auto& entry) { return Key{.name = entry.key}; });
    reader_.check_keys(fmt::format("'{}'", attribute_.name), node, keys);
    if (node.entries.empty()) {
      reader_.error(node.place, fmt::format("'{}' has no operator", attribute_.name),
                    "for example { matches = \"^x\" }");
      return std::nullopt;
    }
    return each(Operator::all, node.entries, [this](const DocumentEntry& entry) { return condition(entry); });
  }

 private:
  // Several conditions under one operator; one alone needs none.
  template <typename Items, typename ReadItem>
  static Read each(Operator op, const Items& items, ReadItem read_item) {
    Expectation whole{.op = op};
    bool good = true;
    for (const auto& item : items) {
      if (Read inner = read_item(item)) {
        whole.inner.push_back(*std::move(inner));
      } else {
        good = false;
      }
    }
    if (!good) return std::nullopt;
    return whole.inner.size() == 1 ? Read(std::move(whole.inner.front())) : Read(std::move(whole));
  }

  Read plain(const DocumentNode& node) const {
    const std::string_view name = attribute_.name;
    switch (attribute_.type) {
      case ValueType::boolean:
        return equal_to(read_boolean(reader_, name, node));
      case ValueType::integer:
        return equal_to(read_integer(reader_, name, node, attribute_.least, attribute_.most));
      case ValueType::mode: {
        const auto mode = read_mode(reader_, name, node);
        return mode ? equal_to(std::optional<std::int64_t>(*mode)) : std::nullopt;
      }
      case ValueType::path:
        return equal_to(read_absolute_path(reader_, name, node));
      case ValueType::number:
        if (node.kind == Kind::integer) return equal_to(std::optional(std::to_string(node.integer)));
        return equal_to(read_text(reader_, name, node));
      case ValueType::list:
        return node.kind == Kind::array ? all_elements(node) : element_equal_to(read_text(reader_, name, node));
      default:
        return equal_to(read_text(reader_, name, node));
    }
  }

  template <typename T>
  static Read equal_to(std::optional<T> value) {
    return value ? Read({.op = Operator::equals, .value = *std::move(value)}) : std::nullopt;
  }

  static Read element(Read inner) {
    return inner ? Read({.op = Operator::has_element, .inner = {*std::move(inner)}}) : std::nullopt;
  }
  static Read element_equal_to(std::optional<std::string> text) { return element(equal_to(std::move(text))); }

  // `["a", { matches = "^b" }]`: each is met by an element.
  Read all_elements(const DocumentNode& node) const {
    const Attribute one{.name = attribute_.name, .type = ValueType::text};
    std::vector<std::string_view> seen;
    for (const DocumentNode& item : node.items) {
      if (item.kind != Kind::text) continue;
      if (std::find(seen.begin(), seen.end(), item.text) != seen.end()) {
        reader_.error(item.place, fmt::format("'{}' stands twice in '{}'", item.text, attribute_.name));
      }
      seen.push_back(item.text);
    }
    return each(Operator::all, node.items,
                [&](const DocumentNode& item) { return element(ExpectationReader(reader_, one).read(item)); });
  }

  Read condition(const DocumentEntry& entry) const {
    const auto known = std::find_if(kOperators.begin(), kOperators.end(),
                                    [&](const OperatorKey& candidate) { return candidate.key == entry.key; });
    if (known == kOperators.end()) return std::nullopt;  // check_keys() has told
    const Operator op = known->op;
    if (!fits(op, attribute_.type)) {
      reader_.error(entry.place, fmt::format("'{}' can't be asked of '{}', which is {}", entry.key, attribute_.name,
                                             name_of(attribute_.type)));
      return std::nullopt;
    }
    const DocumentNode& node = entry.value;
    switch (op) {
      case Operator::equals:
        return equals(entry);
      case Operator::all:
      case Operator::any:
        if (node.kind == Kind::array && node.items.empty()) {
          reader_.error(node.place, fmt::format("'{}' has no condition", entry.key));
          return std::nullopt;
        }
        if (node.kind != Kind::array) {
          reader_.wrong_type(entry.key, node, "an array of conditions", R"(for example [{ matches = "^a" }, "b"])");
          return std::nullopt;
        }
        return each(op, node.items, [this](const DocumentNode& item) { return read(item); });
      case Operator::negation: {
        Read inner = read(node);
        return inner ? Read({.op = Operator::negation, .inner = {*std::move(inner)}}) : std::nullopt;
      }
      case Operator::length: {
        const Attribute size{.name = entry.key, .type = ValueType::integer};
        Read inner = ExpectationReader(reader_, size).read(node);
        return inner ? Read({.op = Operator::length, .inner = {*std::move(inner)}}) : std::nullopt;
      }
      case Operator::less:
      case Operator::at_most:
      case Operator::greater:
      case Operator::at_least:
        return comparison(op, entry);
      default:
        return attribute_.type == ValueType::list ? of_elements(op, entry) : of_text(op, entry);
    }
  }

  Read equals(const DocumentEntry& entry) const {
    if (attribute_.type != ValueType::list) return plain(entry.value);
    const auto texts = read_texts(reader_, entry.key, entry.value);
    return texts ? Read({.op = Operator::equals, .value = *texts}) : std::nullopt;
  }

  Read comparison(Operator op, const DocumentEntry& entry) const {
    const DocumentNode& node = entry.value;
    if (attribute_.type == ValueType::version) {
      auto text = read_word(reader_, entry.key, node);
      return text ? Read({.op = op, .value = *std::move(text)}) : std::nullopt;
    }
    if (node.kind != Kind::integer) {
      reader_.wrong_type(entry.key, node, "an integer");
      return std::nullopt;
    }
    return Expectation{.op = op, .value = node.integer};
  }

  // A text or an array of them, all of which have to be there.
  Read of_text(Operator op, const DocumentEntry& entry) const {
    if (entry.value.kind == Kind::array) {
      return each(Operator::all, entry.value.items,
                  [&](const DocumentNode& item) { return one_text(op, entry, item); });
    }
    return one_text(op, entry, entry.value);
  }

  Read of_elements(Operator op, const DocumentEntry& entry) const {
    const DocumentNode& node = entry.value;
    if (op == Operator::contains) {
      if (node.kind == Kind::array) return all_elements(node);
      const Attribute one{.name = attribute_.name, .type = ValueType::text};
      return element(ExpectationReader(reader_, one).read(node));
    }
    if (node.kind == Kind::array) {
      return each(Operator::all, node.items,
                  [&](const DocumentNode& item) { return element(one_text(op, entry, item)); });
    }
    return element(one_text(op, entry, node));
  }

  Read one_text(Operator op, const DocumentEntry& entry, const DocumentNode& node) const {
    auto text = read_text(reader_, entry.key, node);
    if (!text) return std::nullopt;
    try {
      if (op == Operator::matches) {
        static_cast<void>(Pattern(*text));
      } else if (op == Operator::semver) {
        static_cast<void>(VersionRange(VersionScheme::semantic, *text));
      } else if (op == Operator::debian) {
        static_cast<void>(VersionRange(VersionScheme::debian, *text));
      }
    } catch (const Error& error) {
      reader_.error(node.place, error.message());
      return std::nullopt;
    }
    return Expectation{.op = op, .value = *std::move(text)};
  }

  Reader& reader_;
  const Attribute& attribute_;
};

}  // namespace

Read read_expectation(Reader& reader, const Attribute& attribute, const DocumentNode& node) {
  return ExpectationReader(reader, attribute).read(node);
}

std::span<const std::string_view> operator_keys() noexcept { return kOperatorKeys; }

}  // namespace mayfly
