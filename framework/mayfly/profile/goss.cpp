#include "mayfly/profile/goss.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "mayfly/profile/diagnostic.h"
#include "mayfly/profile/resources.h"
#include "mayfly/profile/sections.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"

// A Goss file becomes the document that a profile's author would have written, with the places of the Goss file; the
// profile's own reader then makes checks of it and finds what is wrong.

namespace mayfly {
namespace {

using Kind = DocumentNode::Kind;

constexpr std::string_view kTemplateHint = "templates ({{ ... }}) can't be read; 'goss render' writes them out";

struct Rename {
  std::string_view goss, ours;
};

struct GossResource {
  std::string_view name;
  Resource resource;
  std::array<Rename, 10> attributes;
};

constexpr std::array<GossResource, 13> kGossResources{
    {{"file",
      Resource::file,
      {{{"exists", "exists"},
        {"mode", "mode"},
        {"size", "size"},
        {"owner", "owner"},
        {"group", "group"},
        {"filetype", "type"},
        {"contents", "content"},
        {"contains", "content"},
        {"sha256", "sha256"}}}},
     {"package", Resource::package, {{{"installed", "installed"}, {"versions", "version"}}}},
     {"service", Resource::service, {{{"enabled", "enabled"}, {"running", "running"}}}},
     {"user",
      Resource::user,
      {{{"exists", "exists"},
        {"uid", "uid"},
        {"gid", "gid"},
        {"groups", "groups"},
        {"home", "home"},
        {"shell", "shell"}}}},
     {"group", Resource::group, {{{"exists", "exists"}, {"gid", "gid"}}}},
     {"port", Resource::port, {{{"listening", "listening"}, {"ip", "addresses"}}}},
     {"process", Resource::process, {{{"running", "running"}}}},
     {"command",
      Resource::command,
      {{{"exit-status", "exit_code"}, {"stdout", "stdout"}, {"stderr", "stderr"}, {"timeout", "timeout"}}}},
     {"mount",
      Resource::mount,
      {{{"exists", "exists"}, {"opts", "options"}, {"source", "source"}, {"filesystem", "fstype"}}}},
     {"kernel-param", Resource::sysctl, {{{"value", "value"}}}},
     {"dns",
      Resource::dns,
      {{{"resolvable", "resolves"}, {"addrs", "answers"}, {"server", "server"}, {"timeout", "timeout"}}}},
     {"interface", Resource::interface, {{{"exists", "exists"}, {"addrs", "addresses"}, {"mtu", "mtu"}}}},
     {"http",
      Resource::http,
      {{{"status", "status"},
        {"allow-insecure", "verify_tls"},
        {"no-follow-redirects", "follow_redirects"},
        {"timeout", "timeout"},
        {"request-headers", "request_headers"},
        {"request-body", "request_body"},
        {"method", "method"},
        {"headers", "headers"},
        {"body", "body"}}}}}};
constexpr std::array<Rename, 14> kMatchers{{{"equal", "equals"},
                                            {"contain-substring", "contains"},
                                            {"match-regexp", "matches"},
                                            {"have-prefix", "starts_with"},
                                            {"have-suffix", "ends_with"},
                                            {"lt", "lt"},
                                            {"le", "le"},
                                            {"gt", "gt"},
                                            {"ge", "ge"},
                                            {"semver-constraint", "semver"},
                                            {"have-len", "length"},
                                            {"and", "and"},
                                            {"or", "or"},
                                            {"not", "not"}}};
constexpr std::array<Rename, 4> kListMatchers{{{"contain-element", "contains"},
                                               {"contain-elements", "contains"},
                                               {"consist-of", "equals"},
                                               {"have-len", "length"}}};

template <typename Renames>
std::string_view ours_of(const Renames& renames, std::string_view goss) {
  const auto found = std::find_if(renames.begin(), renames.end(), [&](const Rename& one) { return one.goss == goss; });
  return found == renames.end() || goss.empty() ? std::string_view() : found->ours;
}

Place place_of(const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  const int length = node.IsScalar() ? static_cast<int>(std::max<std::size_t>(1, node.Scalar().size())) : 1;
  return {.line = mark.line + 1, .column = mark.column + 1, .length = length};
}

DocumentNode text_node(std::string text, Place place) {
  return {.kind = Kind::text, .text = std::move(text), .place = place};
}
DocumentNode boolean_node(bool value, Place place) { return {.kind = Kind::boolean, .boolean = value, .place = place}; }
DocumentNode table_node(std::string key, DocumentNode value) {
  const Place place = value.place;
  DocumentNode table{.kind = Kind::table, .place = place};
  table.entries.push_back({std::move(key), place, std::move(value)});
  return table;
}

class Import {
 public:
  Import(Reader& reader, std::vector<std::string>& skipped) : reader_(reader), skipped_(skipped) {}

  DocumentNode checks(const YAML::Node& root) {
    DocumentNode all{.kind = Kind::array};
    for (const auto& section : root) {
      if (!require_text(section.first)) continue;
      const std::string name = section.first.Scalar();
      const auto* known = std::find_if(kGossResources.begin(), kGossResources.end(),
                                       [&](const GossResource& one) { return one.name == name; });
      if (known == kGossResources.end() || !section.second.IsMap()) {
        reader_.error(place_of(section.first), fmt::format("Goss's '{}' has no counterpart in a profile", name));
        continue;
      }
      for (const auto& item : section.second) {
        if (require_text(item.first)) resource(*known, item.first, item.second, all);
      }
    }
    return all;
  }

 private:
  // `{{ ... }}` is a map with a map as its key.
  bool require_text(const YAML::Node& key) {
    if (key.IsScalar()) return true;
    reader_.error(place_of(key), "this is no name", std::string(kTemplateHint));
    return false;
  }

  void resource(const GossResource& kind, const YAML::Node& key, const YAML::Node& body, DocumentNode& all) {
    if (body["skip"] && body["skip"].Scalar() == "true") {
      skipped_.push_back(fmt::format("{} {}", kind.name, key.Scalar()));
      return;
    }
    const ResourceSpec& spec = spec_of(kind.resource);
    const Place place = place_of(key);
    DocumentNode table{.kind = Kind::table, .place = place};
    add_subject(kind, key.Scalar(), body, place, table);
    bool follows = true;
    for (const auto& entry : body) {
      const std::string name = entry.first.Scalar();
      if (name == "title" || name == "meta" || name == "skip" || name == "exec" || name == "name") continue;
      if (name == "linked-to" && kind.resource == Resource::file) {
        DocumentNode link{.kind = Kind::table, .place = place};
        link.entries.push_back({"path", place, text_node(key.Scalar(), place)});
        link.entries.push_back(
            {"target", place_of(entry.first), value(*spec_of(Resource::link).find("target"), entry.second)});
        all.items.push_back(table_node("link", std::move(link)));
        continue;
      }
      const std::string_view ours = ours_of(kind.attributes, name);
      if (ours.empty()) {
        reader_.error(place_of(entry.first),
                      fmt::format("Goss's '{}' of '{}' has no counterpart in a profile", name, kind.name));
        continue;
      }
      follows = follows && !(name == "no-follow-redirects" && entry.second.Scalar() == "true");
      if (name == "no-follow-redirects") continue;
      // `stdout: []` demands nothing.
      const Attribute* known = spec.find(ours);
      const bool no_list = known == nullptr || known->type != ValueType::list;
      if (no_list && ours != "request_headers" && entry.second.IsSequence() && entry.second.size() == 0) continue;
      // What is wrong in it has been told: the profile's reader would tell of what is missing then.
      wrong_ = false;
      DocumentNode demand = attribute(spec, ours, name, entry.second);
      if (!wrong_) table.entries.push_back({std::string(ours), place_of(entry.first), std::move(demand)});
    }
    if (kind.resource == Resource::http && follows) {
      table.entries.push_back({"follow_redirects", place, boolean_node(true, place)});
    }
    if (table.entries.size() == 1 && body["linked-to"]) return;  // the link's check says all
    DocumentNode check = table_node(std::string(spec.name), std::move(table));
    if (const YAML::Node title = body["title"]) {
      check.entries.push_back({"title", place_of(title), text_node(title.Scalar(), place_of(title))});
    }
    all.items.push_back(std::move(check));
  }

  // "tcp6:80", "MX:example.org", a shell's command; a name beside the key counts more.
  static void add_subject(const GossResource& kind, std::string subject, const YAML::Node& body, Place place,
                          DocumentNode& table) {
    const ResourceSpec& spec = spec_of(kind.resource);
    if (const YAML::Node name = body["name"]) subject = name.Scalar();
    const std::size_t colon = subject.find(':');
    const auto add = [&](std::string_view key, DocumentNode node) {
      table.entries.push_back({std::string(key), place, std::move(node)});
    };
    if (kind.resource == Resource::command) {
      if (const YAML::Node exec = body["exec"]) subject = exec.Scalar();
      add("argv", {.kind = Kind::array,
                   .items = {text_node("sh", place), text_node("-c", place), text_node(subject, place)},
                   .place = place});
    } else if (kind.resource == Resource::port) {
      const std::string protocol = colon == std::string::npos ? "tcp" : subject.substr(0, colon);
      add("number", scalar(ValueType::integer, subject.substr(colon == std::string::npos ? 0 : colon + 1), place));
      add("protocol", text_node(protocol.substr(0, 3), place));
      const YAML::Node listening = body["listening"];
      if (!body["ip"] && listening && listening.Scalar() == "true") {
        // Goss looks at one family, Mayfly at both.
        add("addresses", table_node("matches", text_node(protocol.ends_with('6') ? ":" : "\\.", place)));
      }
    } else if (kind.resource == Resource::dns && colon != std::string::npos) {
      add("name", text_node(subject.substr(colon + 1), place));
      add("type", text_node(subject.substr(0, colon), place));
    } else {
      add(spec.subject, text_node(subject, place));
    }
  }

  DocumentNode attribute(const ResourceSpec& spec, std::string_view ours, std::string_view goss,
                         const YAML::Node& node) {
    const Place place = place_of(node);
    if (ours == "timeout") return text_node(node.Scalar() + "ms", place);  // Goss writes milliseconds
    if (goss == "allow-insecure") return boolean_node(node.Scalar() != "true", place);
    if (ours == "request_headers") {
      DocumentNode headers{.kind = Kind::array, .place = place};
      for (const YAML::Node& header : node) headers.items.push_back(text_node(header.Scalar(), place_of(header)));
      return headers;
    }
    const Attribute* known = spec.find(ours);
    return known == nullptr ? text_node(node.IsScalar() ? node.Scalar() : "", place) : value(*known, node);
  }

  // What an attribute has to be: a plain value, Goss's patterns, or a table of matchers.
  DocumentNode value(const Attribute& attribute, const YAML::Node& node) {
    const Place place = place_of(node);
    if (node.IsMap()) return matchers(attribute, node);
    if (!node.IsSequence()) return scalar(attribute.type, node.Scalar(), place);
    DocumentNode array{.kind = Kind::array, .place = place};
    for (const YAML::Node& item : node) {
      if (attribute.type == ValueType::content && item.IsScalar()) {
        array.items.push_back(pattern(item.Scalar(), place_of(item)));
      } else {
        array.items.push_back(value({.name = attribute.name}, item));
      }
    }
    if (attribute.type == ValueType::list) return array;
    // A package's versions: one of them. Lines of a content: all.
    return table_node(attribute.type == ValueType::version ? "or" : "and", std::move(array));
  }

  DocumentNode matchers(const Attribute& attribute, const YAML::Node& node) {
    DocumentNode table{.kind = Kind::table, .place = place_of(node)};
    std::vector<DocumentNode> of_lines;
    for (const auto& entry : node) {
      const std::string name = entry.first.Scalar();
      const bool is_list = attribute.type == ValueType::list;
      if (!is_list && is_text(attribute.type) && add_line_matcher(name, entry.second, of_lines)) continue;
      std::string_view ours = is_list ? ours_of(kListMatchers, name) : std::string_view();
      if (ours.empty()) ours = ours_of(kMatchers, name);
      if (ours.empty()) {
        wrong(place_of(entry.first), fmt::format("Goss's matcher '{}' has no counterpart in a profile{}", name,
                                                 is_list ? "" : fmt::format(" for '{}'", attribute.name)));
        continue;
      }
      table.entries.push_back({std::string(ours), place_of(entry.first), operand(attribute, ours, entry.second)});
    }
    if (of_lines.empty()) return table;
    // The other matchers beside those of lines.
    if (!table.entries.empty()) of_lines.push_back(std::move(table));
    return table_node("and", {.kind = Kind::array, .items = std::move(of_lines), .place = place_of(node)});
  }

  static bool is_text(ValueType type) {
    return type == ValueType::content || type == ValueType::text || type == ValueType::path;
  }

  void wrong(Place place, std::string message) {
    wrong_ = true;
    reader_.error(place, std::move(message));
  }

  // Goss looks at a text as at the list of its lines, where a matcher wants a list.
  bool add_line_matcher(const std::string& name, const YAML::Node& node, std::vector<DocumentNode>& conditions) {
    if (name == "contain-element") {
      conditions.push_back(line_condition(node));
      return true;
    }
    if ((name != "have-patterns" && name != "contain-elements") || !node.IsSequence()) return false;
    if (node.size() == 0) conditions.push_back(table_node("contains", text_node("", place_of(node))));
    for (const YAML::Node& item : node) {
      if (name == "contain-elements") {
        conditions.push_back(line_condition(item));
      } else if (item.IsScalar()) {
        conditions.push_back(pattern(item.Scalar(), place_of(item)));
      } else {
        wrong(place_of(item), "a pattern must be a text");
      }
    }
    return true;
  }

  // That there is such a line: one that is this text, or begins, ends, or goes on with it.
  DocumentNode line_condition(const YAML::Node& node) {
    const Place place = place_of(node);
    const auto line = [&](std::string_view before, const std::string& text, std::string_view after) {
      return table_node("matches", text_node(fmt::format("{}{}{}", before, quoted_pattern(text), after), place));
    };
    if (node.IsScalar()) return line("^", node.Scalar(), "$");
    if (node.IsMap() && node.size() == 1 && node.begin()->second.IsScalar()) {
      const std::string name = node.begin()->first.Scalar();
      const std::string text = node.begin()->second.Scalar();
      if (name == "equal") return line("^", text, "$");
      if (name == "have-prefix") return line("^", text, "");
      if (name == "have-suffix") return line("", text, "$");
      if (name == "contain-substring") return table_node("contains", text_node(text, place));
      if (name == "match-regexp") return table_node("matches", text_node(text, place));
    }
    wrong(place, "of a line can be asked: a text, equal, have-prefix, have-suffix, contain-substring, match-regexp");
    return {};
  }

  static std::string quoted_pattern(std::string_view text) {
    std::string quoted;
    for (const char c : text) {
      if (std::string_view("\\^$.[]|()?*+{}").find(c) != std::string_view::npos) quoted += '\\';
      quoted += c;
    }
    return quoted;
  }

  DocumentNode operand(const Attribute& attribute, std::string_view ours, const YAML::Node& node) {
    if (ours == "and" || ours == "or") {
      DocumentNode array{.kind = Kind::array, .place = place_of(node)};
      for (const YAML::Node& item : node) array.items.push_back(value(attribute, item));
      return array;
    }
    if (ours == "not" || ours == "equals") {
      if (attribute.type == ValueType::list && ours == "equals" && node.IsSequence()) return texts(node);
      return value(attribute, node);
    }
    const bool is_order = ours == "lt" || ours == "le" || ours == "gt" || ours == "ge";
    const bool is_number = ours == "length" || (is_order && attribute.type != ValueType::version);
    if (is_number) return value({.name = ours, .type = ValueType::integer}, node);
    if (attribute.type == ValueType::list && (node.IsMap() || node.IsSequence())) return value(attribute, node);
    return text_node(node.IsScalar() ? node.Scalar() : "", place_of(node));
  }

  static DocumentNode texts(const YAML::Node& node) {
    DocumentNode array{.kind = Kind::array, .place = place_of(node)};
    for (const YAML::Node& item : node) array.items.push_back(text_node(item.Scalar(), place_of(item)));
    return array;
  }

  // "text", "!text", "/expression/", "!/expression/"
  static DocumentNode pattern(std::string text, Place place) {
    const bool negated = text.starts_with('!');
    if (negated || text.starts_with("\\!")) text.erase(0, 1);
    const bool expression = text.size() > 1 && text.starts_with('/') && text.ends_with('/');
    if (expression) text = text.substr(1, text.size() - 2);
    DocumentNode condition = table_node(expression ? "matches" : "contains", text_node(std::move(text), place));
    return negated ? table_node("not", std::move(condition)) : condition;
  }

  // YAML's plain scalars have no type of their own: what the attribute wants, if it can be read as that.
  static DocumentNode scalar(ValueType type, const std::string& text, Place place) {
    if (type == ValueType::boolean && (text == "true" || text == "false")) return boolean_node(text == "true", place);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (type == ValueType::integer && error == std::errc{} && end == text.data() + text.size()) {
      return {.kind = Kind::integer, .integer = number, .place = place};
    }
    return text_node(text, place);
  }

  Reader& reader_;
  std::vector<std::string>& skipped_;
  bool wrong_ = false;  ///< in the attribute that is looked at
};

Diagnostic syntax_error(const YAML::Exception& error) {
  Diagnostic diagnostic{.line = error.mark.line + 1, .column = error.mark.column + 1, .message = error.msg};
  diagnostic.hint = kTemplateHint;
  return diagnostic;
}

}  // namespace

std::vector<Check> parse_goss(std::string_view yaml, std::string_view name, std::vector<std::string>* skipped) {
  std::vector<std::string> left_out;
  YAML::Node root;
  Reader reader("/");
  Profile profile;
  try {
    root = YAML::Load(std::string(yaml));
    if (!root.IsMap() && !root.IsNull()) {
      throw YAML::Exception(YAML::Mark::null_mark(), "a Goss file is a map of resources");
    }
    const DocumentNode document = Import(reader, skipped != nullptr ? *skipped : left_out).checks(root);
    read_checks(reader, "check", document, profile);
  } catch (const YAML::Exception& error) {
    throw ProfileError(name, yaml, {syntax_error(error)});
  }
  if (std::vector<Diagnostic> diagnostics = reader.take_diagnostics(); !diagnostics.empty()) {
    throw ProfileError(name, yaml, std::move(diagnostics));
  }
  return std::move(profile.checks);
}

std::vector<Check> load_goss(const std::filesystem::path& file, std::vector<std::string>* skipped) {
  const std::string yaml =
      in_context(fmt::format("reading Goss file '{}'", file.string()), [&] { return read_file(file); });
  std::vector<std::string> left_out;
  std::vector<Check> checks = parse_goss(yaml, file.string(), skipped != nullptr ? skipped : &left_out);
  for (const std::string& one : left_out) {
    log(LogLevel::info, fmt::format("{}: {} has 'skip: true' and isn't looked at", file.string(), one));
  }
  return checks;
}

}  // namespace mayfly
