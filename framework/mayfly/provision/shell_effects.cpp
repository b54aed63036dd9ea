#include "mayfly/provision/shell_effects.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string>

#include "mayfly/provision/text.h"
#include "mayfly/support/lines.h"

namespace mayfly {
namespace {

bool is_name(char c) { return (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '_'; }

std::string_view first_word(std::string_view text) { return text.substr(0, text.find_first_of(" \t;()<>|&")); }

/// The code of a line: quoted texts are blanked, comments cut off.
std::string code_of(std::string_view line) {
  std::string code;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') {
        ++i;
      } else if (c == quote) {
        quote = 0;
      }
      continue;
    }
    if (c == '#' && (i == 0 || std::string_view(" \t;&|(").find(line[i - 1]) != std::string_view::npos)) break;
    if (c == '\\') {
      ++i;
      code += '_';
    } else if (c == '\'' || c == '"') {
      quote = c;
      code += '_';
    } else {
      code += c;
    }
  }
  return code;
}

/// Names of the functions that a script has.
std::set<std::string_view> functions_in(std::string_view script) {
  std::set<std::string_view> names;
  for (const std::string_view line : lines_of(script)) {
    std::string_view text = trimmed(line);
    if (text.starts_with("function ")) {
      text = trimmed(text.substr(9));
      names.insert(first_word(text));
    } else if (const std::size_t at = text.find("()"); at != std::string_view::npos && at == text.find('(')) {
      names.insert(trimmed(text.substr(0, at)));
    }
  }
  return names;
}

bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  std::string_view name = word.substr(0, equals);
  if (name.ends_with('+')) name.remove_suffix(1);
  name = name.substr(0, name.find('['));
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::all_of(name.begin(), name.end(), is_name);
}

}  // namespace

bool writes_to_a_file(std::string_view line) {
  const std::string code = code_of(line);
  for (std::size_t at = code.find('>'); at != std::string::npos; at = code.find('>', at)) {
    at = std::min(code.find_first_not_of('>', at), code.size());
    if (at < code.size() && code[at] == '&' && at + 1 < code.size() &&
        (std::isdigit(static_cast<unsigned char>(code[at + 1])) != 0 || code[at + 1] == '-')) {
      continue;  // 2>&1
    }
    const std::string_view target =
        std::string_view(code).substr(std::min(code.find_first_not_of(" \t|&", at), code.size()));
    constexpr std::array<std::string_view, 3> kNowhere{"/dev/null", "/dev/stderr", "/dev/stdout"};
    if (std::find(kNowhere.begin(), kNowhere.end(), first_word(target)) == kNowhere.end()) return true;
  }
  return false;
}

bool keeps_what_is_printed(std::string_view script) {
  constexpr std::array<std::string_view, 3> kEnds{"done", "fi", "esac"};
  const std::set<std::string_view> functions = functions_in(script);
  for (const std::string_view line : lines_of(script)) {
    const std::string code = code_of(line);
    std::string_view text = trimmed(code);
    const bool ends = text.starts_with('}') || text.starts_with(')') ||
                      std::find(kEnds.begin(), kEnds.end(), first_word(text)) != kEnds.end();
    // A call may stand anywhere on its line: `if greet > /etc/x`.
    const bool calls = std::any_of(functions.begin(), functions.end(), [&](std::string_view name) {
      const std::size_t at = name.empty() ? std::string_view::npos : text.find(name);
      const std::size_t end = at + name.size();
      return at != std::string_view::npos && (at == 0 || !is_name(text[at - 1])) &&
             (end == text.size() || !is_name(text[end]));
    });
    if ((ends || calls || first_word(text) == "exec") &&
        (writes_to_a_file(line) || text.find('|') != std::string_view::npos)) {
      return true;
    }
  }
  return false;
}

bool only_looks(std::string_view command, bool printing_counts) {
  // Builtins that set the shell's own state or test, and programs that only read, whatever their options are.
  static const std::set<std::string_view> kLooking{
      "[",     "'['",   "[[",       "((",     "test",    "true",    "false",    ":",     "set",
      "shopt", "shift", "local",    "export", "declare", "typeset", "readonly", "unset", "return",
      "exit",  "break", "continue", "cd",     "pushd",   "popd",    "trap",     "read",  "getopts",
      "umask", "for",   "case",     "select", "let",     "wait",    "sleep"};
  static const std::set<std::string_view> kPrinting{"echo",  "printf", "cat",  "grep",    "egrep",    "fgrep", "head",
                                                    "wc",    "cut",    "tr",   "ls",      "stat",     "id",    "getent",
                                                    "uname", "pwd",    "type", "dirname", "basename", "which"};
  const std::string_view text = trimmed(command);
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  if (word == "command") {
    return text.starts_with("command -v ") || text.starts_with("command -V ");
  }
  return text.starts_with("((") || kLooking.contains(word) || is_assignment(word) ||
         (!printing_counts && kPrinting.contains(word));
}

}  // namespace mayfly
