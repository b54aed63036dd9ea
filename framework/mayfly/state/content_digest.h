#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mayfly {

/// What has been read of a regular file.
struct Content {
  std::uint64_t size = 0;
  std::string digest;
  std::optional<std::string> text{};  ///< when it is UTF-8 without NUL bytes
};

/// Reads at most the first `size` bytes, so that it ends even when the file grows. Holes are skipped; equal bytes give
/// equal digests, with holes or without. Never throws for what the file does meanwhile.
/// @param text_limit no text of files longer than this
[[nodiscard]] Content digest_content(int file, std::uint64_t size, std::size_t text_limit);

/// Whether it is valid UTF-8, without NUL bytes.
[[nodiscard]] bool is_text(std::string_view bytes);

}  // namespace mayfly
