#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// One line of a terminal's text: without escape sequences and control characters, at most `columns` wide; what is cut
/// off shows as "..". Each character counts as one column.
[[nodiscard]] std::string fit(std::string_view text, std::size_t columns);

/// How many columns a text takes that fit() has made.
[[nodiscard]] std::size_t width(std::string_view text);

/// COLUMNS, else the terminal's own width, else 80.
/// @param columns the environment's value, null when not set
[[nodiscard]] std::size_t terminal_columns(const char* columns, int terminal);

/// Lines at the bottom of a terminal that are drawn again and again. What is written above them stays.
class LiveRegion {
 public:
  /// The text that replaces the lines drawn last by these, with `above` over them, which may hold colours and ends with
  /// a newline unless it is empty. The lines must fit the terminal.
  [[nodiscard]] std::string redraw(std::string_view above, const std::vector<std::string>& lines);

 private:
  std::size_t drawn_ = 0;
};

}  // namespace mayfly
