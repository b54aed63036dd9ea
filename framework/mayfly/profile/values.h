#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/profile/reader.h"
#include "mayfly/support/units.h"

namespace mayfly {

// Each reads one value and returns it, or reports what is wrong and returns nothing. `name` is the key, for messages.

[[nodiscard]] std::optional<std::string> read_text(Reader&, std::string_view name, const DocumentNode&);
/// Not empty and without control characters: what becomes an argument, a name or a line.
[[nodiscard]] std::optional<std::string> read_word(Reader&, std::string_view name, const DocumentNode&);
[[nodiscard]] std::optional<bool> read_boolean(Reader&, std::string_view name, const DocumentNode&);
[[nodiscard]] std::optional<std::int64_t> read_integer(Reader&, std::string_view name, const DocumentNode&,
                                                       std::int64_t least, std::int64_t most);
/// A number greater than 0.
[[nodiscard]] std::optional<double> read_number(Reader&, std::string_view name, const DocumentNode&);
/// Greater than 0.
[[nodiscard]] std::optional<Bytes> read_size(Reader&, std::string_view name, const DocumentNode&);
/// Greater than 0.
[[nodiscard]] std::optional<Milliseconds> read_duration(Reader&, std::string_view name, const DocumentNode&);
/// "0644" or 0o644.
[[nodiscard]] std::optional<unsigned> read_mode(Reader&, std::string_view name, const DocumentNode&);
[[nodiscard]] std::optional<std::vector<std::string>> read_texts(Reader&, std::string_view name, const DocumentNode&);
/// An array with at least one element, the program.
[[nodiscard]] std::optional<std::vector<std::string>> read_argv(Reader&, std::string_view name, const DocumentNode&);
/// An array in which nothing stands twice.
[[nodiscard]] std::optional<std::vector<std::string>> read_names(Reader&, std::string_view name, const DocumentNode&);
/// A table of strings, whose keys are names of environment variables.
[[nodiscard]] std::optional<std::map<std::string, std::string>> read_variables(Reader&, std::string_view name,
                                                                               const DocumentNode&);
/// A table of anything; each value becomes its JSON text.
[[nodiscard]] std::optional<std::map<std::string, std::string>> read_json_texts(Reader&, std::string_view name,
                                                                                const DocumentNode&);
/// A path in the container.
[[nodiscard]] std::optional<std::string> read_absolute_path(Reader&, std::string_view name, const DocumentNode&);
/// A path on the host, made absolute; the file is there.
[[nodiscard]] std::optional<std::filesystem::path> read_file_path(Reader&, std::string_view name, const DocumentNode&);
[[nodiscard]] std::optional<std::filesystem::path> read_directory_path(Reader&, std::string_view name,
                                                                       const DocumentNode&);
[[nodiscard]] std::optional<std::vector<std::filesystem::path>> read_directory_paths(Reader&, std::string_view name,
                                                                                     const DocumentNode&);
/// Directories, or archives that tar(1) reads (told by their names): what holds Puppet modules.
[[nodiscard]] std::optional<std::vector<std::filesystem::path>> read_module_paths(Reader&, std::string_view name,
                                                                                  const DocumentNode&);
/// An array with at least one element.
[[nodiscard]] std::optional<std::vector<std::filesystem::path>> read_file_paths(Reader&, std::string_view name,
                                                                                const DocumentNode&);
/// An array of numbers from 1 to 255.
[[nodiscard]] std::optional<std::vector<int>> read_exit_codes(Reader&, std::string_view name, const DocumentNode&);
/// One of several words.
[[nodiscard]] std::optional<std::string> read_one_of(Reader&, std::string_view name, const DocumentNode&,
                                                     std::span<const std::string_view> words);

/// read_integer for a schema line: the limits as parameters, the type as the member has it.
template <typename Number, std::int64_t Least, std::int64_t Most>
[[nodiscard]] std::optional<Number> read_integer_in(Reader& reader, std::string_view name, const DocumentNode& node) {
  const auto value = read_integer(reader, name, node, Least, Most);
  return value ? std::optional(static_cast<Number>(*value)) : std::nullopt;
}

}  // namespace mayfly
