#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// What stands in the source for an instruction.
struct SourcePlace {
  std::string function{};  ///< empty: unknown
  std::string place{};     ///< "web_test.cpp:42"; empty: unknown
};

/// By addr2line(1), one for each address; nothing where that isn't installed, or knows nothing of the file.
/// @param addresses in the file's own numbers
[[nodiscard]] std::vector<SourcePlace> source_places(const std::filesystem::path& file,
                                                     const std::vector<std::uint64_t>& addresses);

/// A sanitizer's report that was written where the files of its program can't be read: "#0 0x7f12 (MODULE+0x11dd)"
/// becomes "#0 0x7f12 in parse(char const*) web_test.cpp:42 (MODULE+0x11dd)". All else stays.
/// @param file_of where what the report calls MODULE is here
[[nodiscard]] std::string with_source_places(
    std::string_view report,
    const std::function<std::optional<std::filesystem::path>(std::string_view module)>& file_of);

}  // namespace mayfly
