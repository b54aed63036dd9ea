#include <string>

#include "mayfly/state/ignore.h"

namespace mayfly {
namespace {

/// The length of the "[...]" that the pattern begins with; 0 when it isn't closed, and so a plain bracket.
std::size_t set_length(std::string_view pattern) {
  const std::size_t first = pattern.starts_with("[!") ? 3 : 2;  // "[]a]" has a bracket in it
  const std::size_t end = pattern.find(']', first);
  return end == std::string_view::npos ? 0 : end + 1;
}

/// @param set without its brackets
bool is_in_set(char c, std::string_view set) {
  const bool negated = set.starts_with('!');
  set.remove_prefix(negated ? 1 : 0);
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found = found || (set[i] <= c && c <= set[i + 2]);
      i += 2;
    } else {
      found = found || set[i] == c;
    }
  }
  return found != negated && c != '/';
}

/// Where the "{" that the pattern begins with is closed; npos when it isn't.
std::size_t closing_brace(std::string_view pattern) {
  int depth = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    depth += pattern[i] == '{' ? 1 : pattern[i] == '}' ? -1 : 0;
    if (depth == 0) {
      return i;
    }
  }
  return std::string_view::npos;
}

bool matches(std::string_view path, std::string_view pattern);

bool matches_alternative(std::string_view path, std::string_view pattern, std::size_t end) {
  const std::string_view rest = pattern.substr(end + 1);
  int depth = 0;
  for (std::size_t begin = 1, i = 1; i <= end; ++i) {
    if (i == end || (pattern[i] == ',' && depth == 0)) {
      if (matches(path, std::string(pattern.substr(begin, i - begin)).append(rest))) {
        return true;
      }
      begin = i + 1;
    }
    depth += pattern[i] == '{' ? 1 : pattern[i] == '}' ? -1 : 0;
  }
  return false;
}

/// `rest` is what follows "/**".
bool matches_components(std::string_view path, std::string_view rest) {
  while (!matches(path, rest)) {
    if (!path.starts_with('/')) {
      return false;
    }
    path.remove_prefix(std::min(path.find('/', 1), path.size()));
  }
  return true;
}

/// `rest` is what follows "*".
bool matches_star(std::string_view path, std::string_view rest) {
  while (!matches(path, rest)) {
    if (path.empty() || path[0] == '/') {
      return false;
    }
    path.remove_prefix(1);
  }
  return true;
}

bool matches(std::string_view path, std::string_view pattern) {
  while (!pattern.empty()) {
    if (pattern.starts_with("/**") && (pattern.size() == 3 || pattern[3] == '/')) {
      return matches_components(path, pattern.substr(3));
    }
    if (pattern[0] == '*') {
      return matches_star(path, pattern.substr(std::min(pattern.find_first_not_of('*'), pattern.size())));
    }
    if (pattern[0] == '{') {
      if (const std::size_t end = closing_brace(pattern); end != std::string_view::npos) {
        return matches_alternative(path, pattern, end);
      }
    }
    if (path.empty()) {
      return false;
    }
    const std::size_t set = pattern[0] == '[' ? set_length(pattern) : 0;
    if (set != 0) {
      if (!is_in_set(path[0], pattern.substr(1, set - 2))) {
        return false;
      }
      pattern.remove_prefix(set);
    } else if (pattern[0] == '?') {
      if (path[0] == '/') {
        return false;
      }
      pattern.remove_prefix(1);
    } else {
      if (path[0] != pattern[0]) {
        return false;
      }
      pattern.remove_prefix(1);
    }
    path.remove_prefix(1);
  }
  return path.empty();
}

}  // namespace

bool matches_glob(std::string_view path, std::string_view pattern) {
  // "**/x" is below the root, too.
  return matches(path, pattern.starts_with("**/") ? "/" + std::string(pattern) : std::string(pattern));
}

}  // namespace mayfly
