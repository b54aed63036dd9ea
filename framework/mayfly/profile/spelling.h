#pragma once

#include <span>
#include <string_view>

namespace mayfly {

/// The Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, replacements and swaps of
/// neighbours.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `text`, or an empty view when none is near enough to be what was meant.
[[nodiscard]] std::string_view nearest(std::string_view text, std::span<const std::string_view> candidates);

}  // namespace mayfly
