#include "mayfly/cli/console.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace mayfly {

bool wants_colour(ColourChoice choice, bool is_terminal, const char* no_color, const char* term) {
  if (choice != ColourChoice::automatic) return choice == ColourChoice::always;
  const bool refused = no_color != nullptr && *no_color != '\0';
  return is_capable_terminal(is_terminal, term) && !refused;
}

bool is_capable_terminal(bool is_terminal, const char* term) {
  return is_terminal && term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

std::string Console::paint(Style style, std::string_view text) const {
  if (!colour_ || text.empty()) return std::string(text);
  const char* code = "0";
  switch (style) {
    case Style::good:
      code = "32";
      break;
    case Style::bad:
      code = "1;31";
      break;
    case Style::warning:
      code = "33";
      break;
    case Style::dim:
      code = "2";
      break;
    case Style::bold:
      code = "1";
      break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void Console::line(std::string_view text) const {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  std::string table;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      line += fmt::format("{:<{}}", row[column], widths[column] + 2);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    table += line + '\n';
  }
  return table;
}

}  // namespace mayfly
