#include "mayfly/provision/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "mayfly/provision/json_fields.h"
#include "mayfly/provision/text.h"
#include "mayfly/provision/verdict.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

namespace json = boost::json;
using Severity = Finding::Severity;

// "site.yml:3:7"; a tool that doesn't know line or column says 0 or nothing.
std::string place(std::string_view file, std::string_view line, std::string_view column,
                  const std::filesystem::path& directory) {
  std::string text = shorten_path(file, directory);
  for (const std::string_view number : {line, column}) {
    if (number.empty() || number == "0") {
      break;
    }
    text += fmt::format(":{}", number);
  }
  return text;
}

std::string one_line(std::string_view text) {
  std::string line(trimmed(text));
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

Severity severity_of(std::string_view word) {
  return word == "error" ? Severity::error : word == "warning" ? Severity::warning : Severity::info;
}

// Hands each object of an array, or of the arrays in it, to `read`.
void each_object(const json::value& value, const std::function<void(const json::object&)>& read) {
  if (value.is_array()) {
    for (const json::value& inner : value.get_array()) {
      each_object(inner, read);
    }
  } else {
    read(value.as_object());
  }
}

std::vector<Finding> read_list(std::string_view text, std::string_view tool,
                               const std::function<Finding(const json::object&)>& read) {
  std::vector<Finding> findings;
  // An object makes it one document with the others that our plugins write.
  read_json_object(fmt::format("{{\"list\":{}}}", trimmed(text).empty() ? "[]" : text),
                   fmt::format("{}'s output", tool), [&](const json::object& document) {
                     each_object(document.at("list"),
                                 [&](const json::object& object) { findings.push_back(read(object)); });
                   });
  return findings;
}

// codeclimate has "lines" or, for a place with a column, "positions".
std::string ansible_place(const json::object& location, const std::filesystem::path& directory) {
  if (const json::value* positions = location.if_contains("positions")) {
    const json::object& begin = positions->as_object().at("begin").as_object();
    return place(text_of(location, "path"), text_of(begin, "line"), text_of(begin, "column"), directory);
  }
  const json::object& lines = location.at("lines").as_object();
  const json::value& begin = lines.at("begin");
  // Some versions put an object with line and column here.
  return begin.is_object() ? place(text_of(location, "path"), text_of(begin.get_object(), "line"), "", directory)
                           : place(text_of(location, "path"), text_of(lines, "begin"), "", directory);
}

// What the mark in `text` and a number at its start are followed by: "4: message" -> "4".
std::string_view leading_number(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

void drop(std::string_view& text, std::string_view start) {
  if (text.starts_with(start)) {
    text.remove_prefix(start.size());
  }
}

}  // namespace

std::vector<Finding> parse_shellcheck(std::string_view json, const std::filesystem::path& directory) {
  return read_list(json, "shellcheck", [&](const json::object& found) {
    return Finding{.where = place(text_of(found, "file"), text_of(found, "line"), text_of(found, "column"), directory),
                   .rule = "SC" + text_of(found, "code"),
                   .message = one_line(text_of(found, "message")),
                   .severity = severity_of(text_of(found, "level"))};
  });
}

std::vector<Finding> parse_ansible_lint(std::string_view json, const std::filesystem::path& directory) {
  return read_list(json, "ansible-lint", [&](const json::object& found) {
    Finding finding{.where = ansible_place(found.at("location").as_object(), directory),
                    .rule = text_of(found, "check_name"),
                    .message = one_line(text_of(found, "description")),
                    // Its "severity" (info to blocker) says how much a rule matters; "level" whether it fails the run.
                    .severity = severity_of(text_of(found, "level"))};
    if (const json::value* content = found.if_contains("content");
        content != nullptr && finding.rule == "load-failure") {
      finding.message += ": " + one_line(text_of(content->as_object(), "body"));
    }
    return finding;
  });
}

std::vector<Finding> parse_puppet_lint(std::string_view json, const std::filesystem::path& directory) {
  return read_list(json, "puppet-lint", [&](const json::object& found) {
    return Finding{
        .where = place(text_of(found, "fullpath"), text_of(found, "line"), text_of(found, "column"), directory),
        .rule = text_of(found, "check"),
        .message = one_line(text_of(found, "message")),
        .severity = severity_of(text_of(found, "kind"))};
  });
}

std::vector<Finding> parse_puppet_syntax(std::string_view json, const std::filesystem::path& directory) {
  std::vector<Finding> findings;
  const std::size_t start = json.find('{');
  if (start == std::string_view::npos) {
    return findings;
  }
  read_json_object(trimmed(json.substr(start)), "puppet's output", [&](const json::object& files) {
    for (const auto& [file, value] : files) {
      const json::object& found = value.as_object();
      const std::string full = text_of(found, "file");
      findings.push_back({.where = place(full.empty() ? std::string(file) : full, text_of(found, "line"),
                                         text_of(found, "pos"), directory),
                          .rule = {},
                          .message = one_line(text_of(found, "message")),
                          .severity = Severity::error});
    }
  });
  return findings;
}

std::vector<Finding> parse_error_lines(std::string_view text, const std::filesystem::path& file,
                                       const std::filesystem::path& directory) {
  std::vector<Finding> findings;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    const std::size_t named = line.find(file.string() + ":");
    if (named == std::string_view::npos) {
      continue;
    }
    line = trimmed(line.substr(named + file.string().size() + 1));
    drop(line, "line ");
    const std::string_view number = leading_number(line);
    if (number.empty() || !line.substr(number.size()).starts_with(':')) {
      continue;
    }
    line.remove_prefix(number.size() + 1);
    std::string_view column = leading_number(line);
    if (!column.empty() && line.substr(column.size()).starts_with(':')) {
      line.remove_prefix(column.size() + 1);
    } else {
      column = {};
    }
    line = trimmed(line);
    const bool warns = line.starts_with("warning: ");
    for (const char* word : {"error: ", "warning: ", "Syntax error: ", "syntax error: "}) {
      drop(line, word);
    }
    findings.push_back({.where = place(file.string(), number, column, directory),
                        .rule = {},
                        .message = std::string(line),
                        .severity = warns ? Severity::warning : Severity::error});
  }
  return findings;
}

}  // namespace mayfly
