#pragma once

#include <string_view>
#include <vector>

namespace mayfly {

/// The parts between the separators: "a::b" has three.
[[nodiscard]] inline std::vector<std::string_view> fields_of(std::string_view text, char separator) {
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t end = text.find(separator);
    fields.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return fields;
    }
    text.remove_prefix(end + 1);
  }
}

/// The parts that aren't empty: words of a line, or lines of a text.
[[nodiscard]] inline std::vector<std::string_view> words_of(std::string_view text, char separator = ' ') {
  std::vector<std::string_view> words = fields_of(text, separator);
  std::erase_if(words, [](std::string_view word) { return word.empty(); });
  return words;
}

}  // namespace mayfly
