#include "mayfly/state/text_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "mayfly/support/lines.h"

namespace mayfly {
namespace {

constexpr std::size_t kContext = 3;

/// One line of the diff: in both texts (' '), in the first ('-') or in the second ('+').
struct DiffLine {
  char sign;
  std::string_view text;
};

using Lines = std::vector<std::string_view>;

/// The differing middles by their longest common subsequence.
void append_middle(const Lines& before, const Lines& after, std::vector<DiffLine>& all) {
  const std::size_t rows = before.size(), columns = after.size();
  // common[i][j]: length of the longest one of before[i..] and after[j..].
  std::vector<std::uint16_t> common((rows + 1) * (columns + 1), 0);
  const auto at = [&](std::size_t i, std::size_t j) -> std::uint16_t& { return common[i * (columns + 1) + j]; };
  for (std::size_t i = rows; i-- > 0;) {
    for (std::size_t j = columns; j-- > 0;) {
      at(i, j) = before[i] == after[j] ? static_cast<std::uint16_t>(at(i + 1, j + 1) + 1)
                                       : std::max(at(i + 1, j), at(i, j + 1));
    }
  }
  std::size_t i = 0, j = 0;
  while (i < rows || j < columns) {
    if (i < rows && j < columns && before[i] == after[j]) {
      all.push_back({' ', before[i]});
      ++i, ++j;
    } else if (i < rows && (j == columns || at(i + 1, j) >= at(i, j + 1))) {
      all.push_back({'-', before[i++]});
    } else {
      all.push_back({'+', after[j++]});
    }
  }
}

/// The ranges of lines to show: changes with context, those that touch joined.
std::vector<std::pair<std::size_t, std::size_t>> hunks_of(const std::vector<DiffLine>& all) {
  std::vector<std::pair<std::size_t, std::size_t>> hunks;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].sign == ' ') {
      continue;
    }
    const std::size_t begin = i < kContext ? 0 : i - kContext;
    const std::size_t end = std::min(i + kContext + 1, all.size());
    if (!hunks.empty() && begin <= hunks.back().second) {
      hunks.back().second = end;
    } else {
      hunks.emplace_back(begin, end);
    }
  }
  return hunks;
}

/// "@@ -1,3 +1,4 @@": where the hunk is in both texts, and how long.
std::string header_of(const std::vector<DiffLine>& all, std::size_t begin, std::size_t end) {
  std::size_t first[2] = {1, 1}, count[2] = {0, 0};
  for (std::size_t i = 0; i < end; ++i) {
    auto& numbers = i < begin ? first : count;
    numbers[0] += all[i].sign != '+' ? 1 : 0;
    numbers[1] += all[i].sign != '-' ? 1 : 0;
  }
  // diff(1) numbers an empty range by the line before it.
  for (const int side : {0, 1}) {
    first[side] -= count[side] == 0 ? 1 : 0;
  }
  return fmt::format("@@ -{},{} +{},{} @@", first[0], count[0], first[1], count[1]);
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after, std::size_t most_lines,
                         std::size_t most_shown) {
  if (before == after) {
    return {};
  }
  Lines old_lines = lines_of(before), new_lines = lines_of(after);
  const auto [old_end, new_end] = std::mismatch(old_lines.begin(), old_lines.end(), new_lines.begin(), new_lines.end());
  const auto head = static_cast<std::size_t>(old_end - old_lines.begin());
  std::size_t tail = 0;
  while (tail < std::min(old_lines.size(), new_lines.size()) - head &&
         old_lines[old_lines.size() - 1 - tail] == new_lines[new_lines.size() - 1 - tail]) {
    ++tail;
  }
  const auto middle = [&](const Lines& lines) {
    return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head), lines.end() - static_cast<std::ptrdiff_t>(tail));
  };
  const Lines old_middle = middle(old_lines), new_middle = middle(new_lines);
  if (old_middle.size() > most_lines || new_middle.size() > most_lines) {
    return {};
  }
  std::vector<DiffLine> all;
  all.reserve(old_lines.size() + new_middle.size());
  for (std::size_t i = 0; i < head; ++i) {
    all.push_back({' ', old_lines[i]});
  }
  append_middle(old_middle, new_middle, all);
  for (std::size_t i = old_lines.size() - tail; i < old_lines.size(); ++i) {
    all.push_back({' ', old_lines[i]});
  }
  if (old_middle.empty() && new_middle.empty()) {
    return "\\ only the newline at the end of file differs\n";
  }

  std::vector<std::string> shown;
  for (const auto& [begin, end] : hunks_of(all)) {
    shown.push_back(header_of(all, begin, end));
    for (std::size_t i = begin; i < end; ++i) {
      shown.push_back(all[i].sign + std::string(all[i].text));
    }
  }
  std::string diff;
  for (std::size_t i = 0; i < std::min(shown.size(), most_shown); ++i) {
    diff += shown[i] + '\n';
  }
  if (shown.size() > most_shown) {
    diff += fmt::format("... {} more lines\n", shown.size() - most_shown);
  }
  return diff;
}

}  // namespace mayfly
