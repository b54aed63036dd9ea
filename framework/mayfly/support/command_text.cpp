#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "mayfly/support/subprocess.h"

namespace mayfly {

std::optional<std::filesystem::path> find_program(std::string_view name) {
  const auto runs = [](const std::filesystem::path& path) {
    std::error_code ignored;
    return ::access(path.c_str(), X_OK) == 0 && !std::filesystem::is_directory(path, ignored);
  };
  if (name.find('/') != std::string_view::npos) {
    return runs(name) ? std::optional(std::filesystem::absolute(name)) : std::nullopt;
  }
  const char* variable = std::getenv("PATH");
  std::string list = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
  list += ":/usr/sbin:/sbin";
  for (std::string_view rest = list; !rest.empty() && !name.empty();) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::filesystem::path directory = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    // An empty or relative entry would mean the working directory: not for what often runs as root.
    if (directory.is_absolute() && runs(directory / name)) {
      return directory / name;
    }
  }
  return std::nullopt;
}

std::string shell_quote(const std::vector<std::string>& argv) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,/:@%^";
  std::string text;
  for (const std::string& argument : argv) {
    if (!text.empty()) {
      text += ' ';
    }
    if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos) {
      text += argument;
      continue;
    }
    text += '\'';
    for (const char c : argument) {
      if (c == '\'') {
        text += "'\\''";
      } else {
        text += c;
      }
    }
    text += '\'';
  }
  return text;
}

std::string tail(std::string_view text, std::size_t lines) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  std::size_t begin = text.size();
  for (; lines > 0 && begin != 0; --lines) {
    const std::size_t newline = text.rfind('\n', begin - 1);
    begin = newline == std::string_view::npos ? 0 : newline;
  }
  if (begin < text.size() && text[begin] == '\n') {
    ++begin;
  }
  return std::string(text.substr(begin));
}

}  // namespace mayfly
