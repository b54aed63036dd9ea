#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mayfly {

/// Where a thread was, or had called from.
struct CodeFrame {
  std::string object{};      ///< the program or library that it is in, as the process called it
  std::uint64_t offset = 0;  ///< in that file's own addresses
  std::string function{};    ///< empty: unknown
  std::string place{};       ///< "web_test.cpp:42"; empty: unknown
};

/// Adds functions and places in the source, by addr2line(1), where it is installed. Without it, and where it fails,
/// which is said as a warning, the frames stay as they are.
/// @param file_of where an object is on this host
void add_places(std::vector<CodeFrame>& frames,
                const std::function<std::optional<std::filesystem::path>(const std::string& object)>& file_of);

/// "  #0 Web::parse(char const*) at web_test.cpp:42 (web_test+0x1a2b)"
[[nodiscard]] std::string line_of(std::size_t number, const CodeFrame& frame);

}  // namespace mayfly
