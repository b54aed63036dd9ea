#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <set>

#include "mayfly/profile/values.h"

namespace mayfly {
namespace {

using Kind = DocumentNode::Kind;

// Reads each element with `read_item`; one wrong element spoils the array, but all are reported.
template <typename Item>
std::optional<std::vector<Item>> read_items(Reader& reader, std::string_view name, const DocumentNode& node,
                                            std::string_view expected,
                                            std::optional<Item> (*read_item)(Reader&, std::string_view,
                                                                             const DocumentNode&)) {
  if (node.kind != Kind::array) {
    reader.wrong_type(name, node, expected);
    return std::nullopt;
  }
  std::vector<Item> items;
  bool whole = true;
  for (const DocumentNode& item : node.items) {
    if (auto value = read_item(reader, fmt::format("{}[{}]", name, &item - node.items.data()), item)) {
      items.push_back(*std::move(value));
    } else {
      whole = false;
    }
  }
  return whole ? std::optional(std::move(items)) : std::nullopt;
}

// Nothing and a report for what JSON can't say.
std::optional<boost::json::value> to_json(Reader& reader, std::string_view name, const DocumentNode& node) {
  switch (node.kind) {
    case Kind::text:
    case Kind::time:
      return boost::json::value(node.text);
    case Kind::integer:
      return boost::json::value(node.integer);
    case Kind::boolean:
      return boost::json::value(node.boolean);
    case Kind::real:
      if (!std::isfinite(node.real)) {
        reader.error(node.place, fmt::format("'{}' must be finite: it is handed over as JSON", name));
        return std::nullopt;
      }
      return boost::json::value(node.real);
    case Kind::array: {
      boost::json::array array;
      for (const DocumentNode& item : node.items) {
        if (auto value = to_json(reader, name, item)) {
          array.push_back(*std::move(value));
        }
      }
      return boost::json::value(std::move(array));
    }
    case Kind::table:
      break;
  }
  boost::json::object object;
  for (const DocumentEntry& entry : node.entries) {
    if (auto value = to_json(reader, entry.key, entry.value)) {
      object[entry.key] = *std::move(value);
    }
  }
  return boost::json::value(std::move(object));
}

// A directory, or an archive by its name.
std::optional<std::filesystem::path> read_module_path(Reader& reader, std::string_view name, const DocumentNode& node) {
  const bool is_archive =
      node.kind == DocumentNode::Kind::text && node.text.find(".t") != std::string::npos &&
      (node.text.ends_with(".tar") || node.text.find(".tar.") != std::string::npos || node.text.ends_with(".tgz"));
  return is_archive ? read_file_path(reader, name, node) : read_directory_path(reader, name, node);
}

}  // namespace

std::optional<std::vector<std::string>> read_texts(Reader& reader, std::string_view name, const DocumentNode& node) {
  return read_items<std::string>(reader, name, node, "an array of strings", read_text);
}

std::optional<std::vector<std::string>> read_argv(Reader& reader, std::string_view name, const DocumentNode& node) {
  if (node.kind == Kind::text) {
    reader.wrong_type(name, node, "an array of strings",
                      "no shell takes it apart: write [\"ls\", \"-l\"], or [\"sh\", "
                      "\"-c\", \"...\"] for a shell's command");
    return std::nullopt;
  }
  auto argv = read_texts(reader, name, node);
  if (argv && (argv->empty() || argv->front().empty())) {
    reader.error(node.place, fmt::format("'{}' names no program", name));
    return std::nullopt;
  }
  return argv;
}

std::optional<std::vector<std::string>> read_names(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto names = read_items<std::string>(reader, name, node, "an array of strings", read_word);
  std::set<std::string_view> seen;
  for (const DocumentNode& item : node.items) {
    if (item.kind == Kind::text && !seen.insert(item.text).second) {
      reader.error(item.place, fmt::format("'{}' stands twice in '{}'", item.text, name));
    }
  }
  return names;
}

std::optional<std::vector<std::filesystem::path>> read_directory_paths(Reader& reader, std::string_view name,
                                                                       const DocumentNode& node) {
  return read_items<std::filesystem::path>(reader, name, node, "an array of directories", read_directory_path);
}

std::optional<std::vector<std::filesystem::path>> read_module_paths(Reader& reader, std::string_view name,
                                                                    const DocumentNode& node) {
  return read_items<std::filesystem::path>(reader, name, node, "an array of directories or archives", read_module_path);
}

std::optional<std::vector<std::filesystem::path>> read_file_paths(Reader& reader, std::string_view name,
                                                                  const DocumentNode& node) {
  auto paths = read_items<std::filesystem::path>(reader, name, node, "an array of files", read_file_path);
  if (paths && paths->empty()) {
    reader.error(node.place, fmt::format("'{}' is empty", name));
    return std::nullopt;
  }
  return paths;
}

std::optional<std::vector<int>> read_exit_codes(Reader& reader, std::string_view name, const DocumentNode& node) {
  return read_items<int>(reader, name, node, "an array of exit codes", read_integer_in<int, 1, 255>);
}

std::optional<std::map<std::string, std::string>> read_variables(Reader& reader, std::string_view name,
                                                                 const DocumentNode& node) {
  if (node.kind != Kind::table) {
    reader.wrong_type(name, node, "a table of strings");
    return std::nullopt;
  }
  std::map<std::string, std::string> variables;
  for (const DocumentEntry& entry : node.entries) {
    if (entry.key.empty() || entry.key.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
      reader.error(entry.place, fmt::format("'{}' can't be the name of a variable", entry.key));
    } else if (auto value = read_text(reader, entry.key, entry.value)) {
      variables[entry.key] = *std::move(value);
    }
  }
  return variables;
}

std::optional<std::map<std::string, std::string>> read_json_texts(Reader& reader, std::string_view name,
                                                                  const DocumentNode& node) {
  if (node.kind != Kind::table) {
    reader.wrong_type(name, node, "a table");
    return std::nullopt;
  }
  std::map<std::string, std::string> texts;
  for (const DocumentEntry& entry : node.entries) {
    if (const auto value = to_json(reader, entry.key, entry.value)) {
      texts[entry.key] = boost::json::serialize(*value);
    }
  }
  return texts;
}

}  // namespace mayfly
