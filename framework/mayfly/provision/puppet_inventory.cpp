#include "mayfly/provision/puppet_inventory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "mayfly/provision/text.h"
#include "mayfly/provision/verdict.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

bool is_type_character(char c) {
  return std::islower(static_cast<unsigned char>(c)) != 0 || std::isdigit(static_cast<unsigned char>(c)) != 0 ||
         c == '_' || c == ':';
}

/// What stands before a brace and is no type of resource.
bool is_keyword(std::string_view word) {
  constexpr std::array kWords{"else", "default", "node", "if", "unless", "case", "true", "false", "undef", "inherits"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

/// Same length and lines; comments, and with `texts` the insides of quotes, are blank.
std::string blanked(std::string_view manifest, bool texts) {
  std::string code(manifest);
  char quote = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = manifest[i];
    if (quote != 0) {
      const bool ends = c == quote;
      if (c == '\\' && i + 1 < code.size()) {
        if (texts) code[i] = code[i + 1] = ' ';
        ++i;
      } else if (ends) {
        quote = 0;
      } else if (texts && c != '\n') {
        code[i] = ' ';
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '#') {
      for (; i < code.size() && manifest[i] != '\n'; ++i) code[i] = ' ';
    }
  }
  return code;
}

std::size_t end_of_braces(const std::string& code, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < code.size(); ++i) {
    depth += code[i] == '{' ? 1 : code[i] == '}' ? -1 : 0;
    if (depth == 0) return i;
  }
  return code.size();
}

/// "'/etc/x'" of "'/etc/x': ensure => file"; empty when that isn't how a resource goes on.
std::string_view title_in(std::string_view code, std::string_view text) {
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i] == ':' && (i + 1 == code.size() || code[i + 1] != ':') && (i == 0 || code[i - 1] != ':')) {
      return trimmed(text.substr(0, i));
    }
    if (code[i] == '{' || code[i] == '}' || code[i] == ';' || code[i] == '=') break;
  }
  return {};
}

std::string capitalized(std::string_view type) {
  std::string name(type);
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (i == 0 || name[i - 1] == ':') name[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[i])));
  }
  return name;
}

std::string unquoted(std::string_view title) {
  const bool quoted =
      title.size() >= 2 && (title.front() == '\'' || title.front() == '"') && title.back() == title.front();
  return std::string(quoted ? title.substr(1, title.size() - 2) : title);
}

/// The first "module/name" of template('module/name') or epp('module/name').
std::string template_in(std::string_view text) {
  for (const std::string_view call : {"template(", "epp("}) {
    const std::size_t at = text.find(call);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = trimmed(text.substr(at + call.size()));
    if (rest.empty() || (rest.front() != '\'' && rest.front() != '"')) continue;
    const std::string_view name = rest.substr(1, rest.find(rest.front(), 1) - 1);
    return std::string(name.substr(name.find('/') + 1));
  }
  return {};
}

}  // namespace

std::vector<DeclaredTask> puppet_declarations(std::string_view manifest, const std::string& where) {
  const std::string code = blanked(manifest, true);
  const std::string text = blanked(manifest, false);
  std::vector<DeclaredTask> found;
  for (std::size_t open = code.find('{'); open != std::string::npos; open = code.find('{', open + 1)) {
    const std::size_t last = code.find_last_not_of(" \t\r\n", open == 0 ? 0 : open - 1);
    if (open == 0 || last == std::string::npos || !is_type_character(code[last])) continue;
    std::size_t first = last;
    while (first > 0 && is_type_character(code[first - 1])) --first;
    const std::string_view type = std::string_view(code).substr(first, last + 1 - first);
    const char before = first == 0 ? '\n' : code[first - 1];
    // "class x {", "define x {", "x => y {" of a hash and variables have something else before the word.
    const std::size_t word_before = code.find_last_not_of(" \t", first == 0 ? 0 : first - 1);
    const char neighbour = first == 0 || word_before == std::string::npos ? '\n' : code[word_before];
    const bool begins = std::string_view("\n{};@)").find(neighbour) != std::string_view::npos || neighbour == '>' ||
                        neighbour == ':' || neighbour == '\r' || neighbour == '~';
    if (!begins || is_keyword(type) || before == '$' || std::isalpha(static_cast<unsigned char>(type[0])) == 0)
      continue;
    const std::size_t end = end_of_braces(code, open);
    const std::string_view title = title_in(std::string_view(code).substr(open + 1, end - open - 1),
                                            std::string_view(text).substr(open + 1, end - open - 1));
    if (title.empty()) continue;
    const auto line = std::count(code.begin(), code.begin() + static_cast<std::ptrdiff_t>(first), '\n') + 1;
    found.push_back({.name = fmt::format("{}[{}]", capitalized(type), unquoted(title)),
                     .where = fmt::format("{}:{}", where, line),
                     .source = template_in(std::string_view(text).substr(open, end - open))});
  }
  return found;
}

std::vector<std::filesystem::path> puppet_own_directories(const PuppetStep& step) {
  const std::filesystem::path own = step.manifest.parent_path();
  std::vector<std::filesystem::path> directories{own};
  for (const std::filesystem::path& module : step.modules) {
    const std::string beside = own.parent_path().string() + "/";
    const bool inside = module.string().starts_with(own.string() + "/");
    if (!inside && own.has_relative_path() && beside != "//" && module.string().starts_with(beside)) {
      directories.push_back(module);
    }
  }
  return directories;
}

std::vector<DeclaredTask> puppet_inventory(const PuppetStep& step) {
  const std::filesystem::path own = step.manifest.parent_path();
  std::vector<DeclaredTask> all;
  for (const std::filesystem::path& directory : puppet_own_directories(step)) {
    std::vector<std::filesystem::path> manifests;
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, unreadable)) {
      const std::filesystem::path& path = entry.path();
      // Other manifests beside this one are other machines'.
      const bool used = path == step.manifest || path.parent_path() != own;
      if (path.extension() == ".pp" && used && path.string().find("/spec/") == std::string::npos) {
        manifests.push_back(path);
      }
    }
    std::sort(manifests.begin(), manifests.end(), [&](const auto& one, const auto& other) {
      return std::pair(one != step.manifest, one) < std::pair(other != step.manifest, other);
    });
    for (const std::filesystem::path& path : manifests) {
      std::vector<DeclaredTask> declared = puppet_declarations(read_file(path), shorten_path(path.string(), own));
      std::move(declared.begin(), declared.end(), std::back_inserter(all));
    }
  }
  return all;
}

}  // namespace mayfly
