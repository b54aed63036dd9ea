#include "mayfly/profile/reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mayfly/profile/spelling.h"

namespace mayfly {
namespace {

std::string quoted_list(const std::vector<std::string_view>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += i == 0 ? "" : i + 1 == names.size() ? " or " : ", ";
    text += fmt::format("'{}'", names[i]);
  }
  return text;
}

std::vector<std::string_view> names_of(std::span<const Key> keys) {
  std::vector<std::string_view> names;
  for (const Key& key : keys) {
    names.push_back(key.name);
  }
  return names;
}

std::string in(std::string_view title) { return title.empty() ? std::string() : fmt::format(" in {}", title); }

}  // namespace

void Reader::error(Place place, std::string message, std::string hint) {
  diagnostics_.push_back({.line = place.line,
                          .column = place.column,
                          .length = place.length,
                          .message = std::move(message),
                          .hint = std::move(hint)});
}

void Reader::wrong_type(std::string_view name, const DocumentNode& node, std::string_view expected, std::string hint) {
  error(node.place, fmt::format("'{}' must be {}, not {}", name, expected, describe(node.kind)), std::move(hint));
}

void Reader::missing(const DocumentNode& table, std::string_view key, std::string message, std::string hint) {
  if (!suggested_.contains({&table, key})) {
    error(table.place, std::move(message), std::move(hint));
  }
}

void Reader::check_keys(std::string_view title, const DocumentNode& table, std::span<const Key> keys) {
  const std::vector<std::string_view> names = names_of(keys);
  std::vector<std::string_view> choices;
  for (const Key& key : keys) {
    if (key.need == Need::choice) {
      choices.push_back(key.name);
    }
  }
  std::string_view chosen;
  for (const DocumentEntry& entry : table.entries) {
    auto key = std::find_if(keys.begin(), keys.end(), [&](const Key& known) { return known.name == entry.key; });
    if (key == keys.end()) {
      const std::string_view near = nearest(entry.key, names);
      error(entry.place, fmt::format("unknown key '{}'{}", entry.key, in(title)),
            near.empty() ? fmt::format("known here: {}", fmt::join(names, ", "))
                         : fmt::format("did you mean '{}'?", near));
      suggested_.insert({&table, near});
      key = std::find_if(keys.begin(), keys.end(), [&](const Key& known) { return known.name == near; });
    }
    if (key != keys.end() && key->need == Need::choice) {
      if (!chosen.empty()) {
        error(entry.place, fmt::format("'{}' can't stand beside '{}'{}", entry.key, chosen, in(title)),
              fmt::format("exactly one of {}", quoted_list(choices)));
      }
      chosen = entry.key;
    }
  }
  for (const Key& key : keys) {
    if (key.need == Need::required && table.find(key.name) == nullptr) {
      missing(table, key.name, fmt::format("missing key '{}'{}", key.name, in(title)));
    }
  }
  if (!choices.empty() && chosen.empty()) {
    error(table.place, fmt::format("{} needs one of {}", title, quoted_list(choices)));
  }
}

}  // namespace mayfly
