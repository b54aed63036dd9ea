#include "mayfly/profile/spelling.h"

#include <algorithm>
#include <vector>

namespace mayfly {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Row i holds the distances of a's first i characters to each beginning of b.
  std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        rows[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[a.size()][b.size()];
}

std::string_view nearest(std::string_view text, std::span<const std::string_view> candidates) {
  std::string_view best;
  // Of a short word, two wrong letters are already another word.
  std::size_t limit = std::clamp<std::size_t>(text.size() / 3, 1, 3) + 1;
  for (const std::string_view candidate : candidates) {
    if (const std::size_t distance = edit_distance(text, candidate); distance < limit) {
      limit = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace mayfly
