#include "mayfly/cli/live_region.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <charconv>

#include "mayfly/report/plain_text.h"

namespace mayfly {
namespace {

constexpr std::size_t kDefaultColumns = 80;
constexpr std::size_t kMostColumns = 1000;
constexpr std::string_view kCut = "..";

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string fit(std::string_view text, std::size_t columns) {
  std::string line = plain_text(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  line.erase(line.find_last_not_of(' ') + 1);
  if (width(line) <= columns) return line;
  const std::size_t kept = columns > kCut.size() ? columns - kCut.size() : 0;
  std::size_t end = 0;
  for (std::size_t seen = 0; end < line.size(); ++end) {
    if (!continues(line[end]) && seen++ == kept) break;
  }
  return line.substr(0, end) + std::string(kCut.substr(0, columns - kept));
}

std::size_t terminal_columns(const char* columns, int terminal) {
  const std::string_view text = columns == nullptr ? "" : columns;
  std::size_t wanted = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wanted);
  if (!text.empty() && error == std::errc() && end == text.data() + text.size() && wanted > 0) {
    return std::min(wanted, kMostColumns);
  }
  winsize size{};
  return ioctl(terminal, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefaultColumns;
}

std::string LiveRegion::redraw(std::string_view above, const std::vector<std::string>& lines) {
  // Moves up, writes over, clears the rest: nothing flickers. Line wrap is off meanwhile: a window that was made
  // narrower must not turn one line into two, which would then be too few to move up.
  if (drawn_ == 0 && lines.empty()) return std::string(above);
  std::string text = drawn_ > 0 ? fmt::format("\x1b[{}A", drawn_) : "";
  if (!above.empty()) {
    // Whole lines: colours and wrapping as they are.
    text += fmt::format("\x1b[J{}", above);
  }
  text += "\x1b[?7l";
  for (const std::string& line : lines) text += fmt::format("{}\x1b[K\n", line);
  text += "\x1b[J\x1b[?7h";
  drawn_ = lines.size();
  return text;
}

}  // namespace mayfly
