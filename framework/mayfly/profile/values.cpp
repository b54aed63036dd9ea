#include "mayfly/profile/values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "mayfly/profile/spelling.h"

namespace mayfly {
namespace {

using Kind = DocumentNode::Kind;

constexpr std::string_view kSizeHint = R"(write for example "512MiB", "1.5GiB" or "20MB")";
constexpr std::string_view kDurationHint = R"(write for example "500ms", "30s", "5min" or "1h 30min")";
constexpr std::string_view kModeHint = "write octal digits: \"0644\" or 0o644";
constexpr unsigned kAllModeBits = 07777;

// What most wrong types are: a number or a boolean that should have been quoted.
std::string quote_hint(const DocumentNode& node) {
  switch (node.kind) {
    case Kind::integer:
      return fmt::format("write it in quotes: \"{}\"", node.integer);
    case Kind::boolean:
      return fmt::format("write it in quotes: \"{}\"", node.boolean);
    case Kind::real:
      return fmt::format("write it in quotes: \"{}\"", node.real);
    default:
      return {};
  }
}

std::optional<std::filesystem::path> existing_path(Reader& reader, std::string_view name, const DocumentNode& node,
                                                   bool directory) {
  const auto text = read_word(reader, name, node);
  if (!text) {
    return std::nullopt;
  }
  std::filesystem::path path = (reader.directory() / *text).lexically_normal();
  const bool relative = std::filesystem::path(*text).is_relative();
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    reader.error(node.place, fmt::format("{} '{}' does not exist", name, *text),
                 relative ? "a relative path starts at the profile's directory" : "");
    return std::nullopt;
  }
  if (std::filesystem::is_directory(status) != directory) {
    reader.error(node.place, fmt::format("{} '{}' is {}", name, *text, directory ? "not a directory" : "a directory"));
    return std::nullopt;
  }
  return path;
}

}  // namespace

std::optional<std::string> read_text(Reader& reader, std::string_view name, const DocumentNode& node) {
  if (node.kind != Kind::text) {
    reader.wrong_type(name, node, "a string", quote_hint(node));
    return std::nullopt;
  }
  if (node.text.find('\0') != std::string::npos) {
    reader.error(node.place, fmt::format("'{}' contains a NUL character", name));
    return std::nullopt;
  }
  return node.text;
}

std::optional<std::string> read_word(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto text = read_text(reader, name, node);
  if (!text) {
    return std::nullopt;
  }
  if (text->empty()) {
    reader.error(node.place, fmt::format("'{}' is empty", name));
    return std::nullopt;
  }
  if (std::any_of(text->begin(), text->end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
    reader.error(node.place, fmt::format("'{}' contains a control character", name));
    return std::nullopt;
  }
  return text;
}

std::optional<bool> read_boolean(Reader& reader, std::string_view name, const DocumentNode& node) {
  if (node.kind != Kind::boolean) {
    reader.wrong_type(name, node, "true or false");
    return std::nullopt;
  }
  return node.boolean;
}

std::optional<std::int64_t> read_integer(Reader& reader, std::string_view name, const DocumentNode& node,
                                         std::int64_t least, std::int64_t most) {
  if (node.kind != Kind::integer) {
    reader.wrong_type(name, node, "an integer");
    return std::nullopt;
  }
  if (node.integer < least || node.integer > most) {
    reader.error(node.place, fmt::format("'{}' must be from {} to {}, not {}", name, least, most, node.integer));
    return std::nullopt;
  }
  return node.integer;
}

std::optional<double> read_number(Reader& reader, std::string_view name, const DocumentNode& node) {
  if (node.kind != Kind::integer && node.kind != Kind::real) {
    reader.wrong_type(name, node, "a number");
    return std::nullopt;
  }
  const double value = node.kind == Kind::real ? node.real : static_cast<double>(node.integer);
  if (!std::isfinite(value) || value <= 0) {
    reader.error(node.place, fmt::format("'{}' must be greater than 0", name));
    return std::nullopt;
  }
  return value;
}

std::optional<Bytes> read_size(Reader& reader, std::string_view name, const DocumentNode& node) {
  if (node.kind != Kind::text) {
    reader.wrong_type(name, node, "a size in quotes", std::string(kSizeHint));
    return std::nullopt;
  }
  const auto size = parse_bytes(node.text);
  if (!size || size->count == 0) {
    reader.error(node.place,
                 size ? fmt::format("'{}' must be greater than 0", name) : fmt::format("'{}' is not a size", node.text),
                 std::string(kSizeHint));
    return std::nullopt;
  }
  return size;
}

std::optional<Milliseconds> read_duration(Reader& reader, std::string_view name, const DocumentNode& node) {
  if (node.kind != Kind::text) {
    reader.wrong_type(name, node, "a duration in quotes", std::string(kDurationHint));
    return std::nullopt;
  }
  const auto duration = parse_duration(node.text);
  if (!duration || duration->count() == 0) {
    reader.error(
        node.place,
        duration ? fmt::format("'{}' must be greater than 0", name) : fmt::format("'{}' is not a duration", node.text),
        std::string(kDurationHint));
    return std::nullopt;
  }
  return duration;
}

std::optional<unsigned> read_mode(Reader& reader, std::string_view name, const DocumentNode& node) {
  if (node.kind == Kind::integer) {
    // mode = 644 would be 0o1204: surely not meant.
    if (!node.octal || node.integer < 0 || node.integer > kAllModeBits) {
      reader.error(node.place, fmt::format("'{}' is not a file mode", node.integer), std::string(kModeHint));
      return std::nullopt;
    }
    return static_cast<unsigned>(node.integer);
  }
  if (node.kind != Kind::text) {
    reader.wrong_type(name, node, "a file mode", std::string(kModeHint));
    return std::nullopt;
  }
  unsigned mode = 0;
  const bool digits = std::all_of(node.text.begin(), node.text.end(), [](char c) { return c >= '0' && c <= '7'; });
  for (const char c : digits ? node.text : std::string()) {
    mode = std::min((mode << 3U) + static_cast<unsigned>(c - '0'), kAllModeBits + 1);
  }
  if (!digits || node.text.empty() || mode > kAllModeBits) {
    reader.error(node.place, fmt::format("'{}' is not a file mode", node.text), std::string(kModeHint));
    return std::nullopt;
  }
  return mode;
}

std::optional<std::string> read_absolute_path(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto text = read_word(reader, name, node);
  if (text && text->front() != '/') {
    reader.error(node.place, fmt::format("'{}' must be an absolute path, not '{}'", name, *text));
    return std::nullopt;
  }
  return text;
}

std::optional<std::filesystem::path> read_file_path(Reader& reader, std::string_view name, const DocumentNode& node) {
  return existing_path(reader, name, node, false);
}

std::optional<std::filesystem::path> read_directory_path(Reader& reader, std::string_view name,
                                                         const DocumentNode& node) {
  return existing_path(reader, name, node, true);
}

std::optional<std::string> read_one_of(Reader& reader, std::string_view name, const DocumentNode& node,
                                       std::span<const std::string_view> words) {
  if (node.kind != Kind::text) {
    reader.wrong_type(name, node, "a string", fmt::format("one of {}", fmt::join(words, ", ")));
    return std::nullopt;
  }
  auto text = read_text(reader, name, node);
  if (text && std::find(words.begin(), words.end(), *text) == words.end()) {
    const std::string_view near = nearest(*text, words);
    reader.error(node.place, fmt::format("'{}' can't be '{}': it is one of {}", name, *text, fmt::join(words, ", ")),
                 near.empty() ? "" : fmt::format("did you mean '{}'?", near));
    return std::nullopt;
  }
  return text;
}

}  // namespace mayfly
