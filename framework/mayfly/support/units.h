#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mayfly {

/// A size in bytes.
struct Bytes {
  std::uint64_t count = 0;
  friend auto operator<=>(const Bytes&, const Bytes&) = default;
};

using Milliseconds = std::chrono::milliseconds;

/// Reads "512MiB", "1.5 GiB", "20MB", "4096" (bytes). Units: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB
/// (powers of 1024).
/// @return nothing when the text is no size, is negative or doesn't fit.
[[nodiscard]] std::optional<Bytes> parse_bytes(std::string_view text);

/// Reads "250ms", "30s", "5min" or "5m", "2h", "7d", "1.5s"; a sum "1min 30s" too. A bare number is refused, since its
/// unit would be a guess.
[[nodiscard]] std::optional<Milliseconds> parse_duration(std::string_view text);

/// The shortest exact form in binary units: "512MiB", "1536B".
[[nodiscard]] std::string to_string(Bytes size);

/// For people: "250ms", "1.5s", "2min 5s", "1h 3min".
[[nodiscard]] std::string to_string(Milliseconds duration);

}  // namespace mayfly
