#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mayfly/profile/expectation_section.h"
#include "mayfly/profile/resources.h"
#include "mayfly/profile/sections.h"
#include "mayfly/profile/values.h"

namespace mayfly {
namespace {

using Kind = DocumentNode::Kind;
using Operator = Expectation::Operator;

// Older and shorter words: `contains = "x"` for `content = { contains = "x" }`.
struct Alias {
  Resource resource;
  std::string_view key, attribute;
};
constexpr std::array<Alias, 2> kAliases{
    {{Resource::file, "contains", "content"}, {Resource::command, "stdout_contains", "stdout"}}};

std::vector<std::string_view> keys_of(const ResourceSpec& spec) {
  std::vector<std::string_view> keys{spec.subject};
  for (const Attribute& attribute : spec.attributes) keys.push_back(attribute.name);
  for (const CheckOption& option : spec.options) keys.push_back(option.name);
  for (const Alias& alias : kAliases) {
    if (alias.resource == spec.resource) keys.push_back(alias.key);
  }
  return keys;
}

class CheckReader {
 public:
  CheckReader(Reader& reader, const ResourceSpec& spec, Check& check) : reader_(reader), spec_(spec), check_(check) {
    check_.resource = spec.resource;
  }

  void read(const DocumentNode& node) {
    if (node.kind != Kind::table) {
      subject(spec_.name, node);
      imply(true);
      return;
    }
    std::vector<Key> keys;
    for (const std::string_view key : keys_of(spec_)) {
      keys.push_back({key, key == spec_.subject ? Need::required : Need::optional});
    }
    reader_.check_keys(fmt::format("'{}'", spec_.name), node, keys);
    for (const DocumentEntry& entry : node.entries) read_entry(entry);
    refuse_beside_absence(node);
    const bool written = std::any_of(node.entries.begin(), node.entries.end(),
                                     [&](const DocumentEntry& entry) { return entry.key != spec_.subject; });
    if (!written && check_.demands.empty() && !implies_something()) {
      if (node.find(spec_.subject) != nullptr) {
        std::vector<std::string_view> names;
        for (const Attribute& attribute : spec_.attributes) names.push_back(attribute.name);
        reader_.error(node.place, "this check looks at nothing", fmt::format("add one of {}", fmt::join(names, ", ")));
      }
    }
    imply(false);
  }

 private:
  void subject(std::string_view name, const DocumentNode& node) {
    using enum ResourceSpec::SubjectType;
    switch (spec_.subject_type) {
      case word:
        take(read_word(reader_, name, node));
        break;
      case path:
        take(read_absolute_path(reader_, name, node));
        break;
      case port:
        if (const auto number = read_integer(reader_, name, node, 1, 65535)) check_.subject = std::to_string(*number);
        break;
      case argv:
        if (auto argv = read_argv(reader_, name, node)) check_.argv = *std::move(argv);
        break;
    }
  }

  void take(std::optional<std::string> text) {
    if (text) check_.subject = *std::move(text);
  }

  void read_entry(const DocumentEntry& entry) {
    if (entry.key == spec_.subject) {
      subject(entry.key, entry.value);
      return;
    }
    if (const Attribute* attribute = spec_.find(entry.key)) {
      if (auto expected = read_expectation(reader_, *attribute, entry.value)) {
        check_.demands.push_back({std::string(entry.key), *std::move(expected)});
      }
      return;
    }
    for (const Alias& alias : kAliases) {
      if (alias.resource != spec_.resource || alias.key != entry.key) continue;
      if (auto text = read_text(reader_, entry.key, entry.value)) {
        check_.demands.push_back({std::string(alias.attribute), {.op = Operator::contains, .value = *std::move(text)}});
      }
    }
    for (const CheckOption& option : spec_.options) {
      if (option.name == entry.key) read_option(option, entry);
    }
  }

  void read_option(const CheckOption& option, const DocumentEntry& entry) {
    const auto keep = [&](auto value) {
      if (value) check_.options[entry.key] = *std::move(value);
    };
    switch (option.type) {
      case OptionType::text:
        keep(option.words.empty() ? read_text(reader_, entry.key, entry.value)
                                  : read_one_of(reader_, entry.key, entry.value, option.words));
        break;
      case OptionType::texts:
        keep(read_texts(reader_, entry.key, entry.value));
        break;
      case OptionType::boolean:
        keep(read_boolean(reader_, entry.key, entry.value));
        break;
      case OptionType::duration:
        if (const auto duration = read_duration(reader_, entry.key, entry.value)) {
          check_.options[entry.key] = std::int64_t{duration->count()};
        }
        break;
    }
  }

  // Of what isn't there nothing else can be checked.
  void refuse_beside_absence(const DocumentNode& node) {
    const bool absent = std::any_of(check_.demands.begin(), check_.demands.end(), [&](const Demand& demand) {
      return demand.attribute == spec_.existence && demand.expected == Expectation{.value = false};
    });
    if (!absent) return;
    for (const DocumentEntry& entry : node.entries) {
      const bool option = std::any_of(spec_.options.begin(), spec_.options.end(),
                                      [&](const CheckOption& candidate) { return candidate.name == entry.key; });
      if (entry.key != spec_.subject && entry.key != spec_.existence && !option) {
        reader_.error(entry.place, fmt::format("'{}' can't be checked beside {} = false", entry.key, spec_.existence));
      }
    }
  }

  [[nodiscard]] bool implies_something() const {
    return std::any_of(spec_.attributes.begin(), spec_.attributes.end(),
                       [](const Attribute& attribute) { return attribute.implied == Implied::always; });
  }

  void imply(bool short_form) {
    std::vector<Demand> implied;
    for (const Attribute& attribute : spec_.attributes) {
      const bool wanted =
          attribute.implied == Implied::always || (short_form && attribute.implied == Implied::by_short_form);
      const bool written = std::any_of(check_.demands.begin(), check_.demands.end(),
                                       [&](const Demand& demand) { return demand.attribute == attribute.name; });
      if (!wanted || written) continue;
      const Value value =
          attribute.type == ValueType::boolean ? Value(true) : Value(std::int64_t{attribute.implied_value});
      implied.push_back({std::string(attribute.name), {.value = value}});
    }
    check_.demands.insert(check_.demands.begin(), implied.begin(), implied.end());
  }

  Reader& reader_;
  const ResourceSpec& spec_;
  Check& check_;
};

void read_check(Reader& reader, const DocumentNode& item, Profile& profile) {
  Check check{.line = item.place.line};
  if (item.kind != Kind::table) {
    reader.wrong_type("check", item, "a table");
    return;
  }
  std::vector<Key> keys;
  for (const ResourceSpec& spec : resources()) keys.push_back({spec.name, Need::choice});
  keys.push_back({"title"});
  keys.push_back({"within"});
  reader.check_keys("[[check]]", item, keys);
  for (const DocumentEntry& entry : item.entries) {
    if (entry.key == "title") {
      if (auto title = read_word(reader, entry.key, entry.value)) check.title = *std::move(title);
    } else if (entry.key == "within") {
      check.within = read_duration(reader, entry.key, entry.value);
    } else {
      for (const ResourceSpec& spec : resources()) {
        if (spec.name == entry.key) CheckReader(reader, spec, check).read(entry.value);
      }
    }
  }
  profile.checks.push_back(std::move(check));
}

}  // namespace

void read_checks(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  read_array_of_tables(reader, name, node, [&](const DocumentNode& item) { read_check(reader, item, profile); });
}

std::vector<TableKeys> check_tables() {
  std::vector<TableKeys> tables{{.title = "[[check]]", .keys = {"title", "within"}},
                                {.title = "operators", .keys = {operator_keys().begin(), operator_keys().end()}}};
  for (const ResourceSpec& spec : resources()) {
    tables.front().keys.push_back(spec.name);
    tables.push_back({.title = spec.name, .keys = keys_of(spec)});
  }
  return tables;
}

}  // namespace mayfly
