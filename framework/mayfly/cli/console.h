#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

enum class ColourChoice { automatic, always, never };

/// Whether to colour: with `automatic`, only on a terminal that isn't "dumb", and not when NO_COLOR is set to something
/// (no-color.org).
/// @param no_color, term the environment's values, null when not set
[[nodiscard]] bool wants_colour(ColourChoice choice, bool is_terminal, const char* no_color, const char* term);

/// Whether a terminal can move its cursor: any that isn't "dumb".
[[nodiscard]] bool is_capable_terminal(bool is_terminal, const char* term);

enum class Style { good, bad, warning, dim, bold };

/// Standard output as the subcommands write it: line by line, at once, coloured or not.
class Console {
 public:
  /// @param colour see wants_colour()
  explicit Console(bool colour) : colour_(colour) {}
  [[nodiscard]] std::string paint(Style style, std::string_view text) const;
  /// Writes the text and a newline.
  void line(std::string_view text) const;

 private:
  bool colour_;
};

/// Rows in aligned columns, two spaces apart, no trailing spaces; each line ends with a newline. The first row is the
/// heading.
[[nodiscard]] std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace mayfly
