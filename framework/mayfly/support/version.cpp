#include "mayfly/support/version.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

int sign(long long value) { return value < 0 ? -1 : value > 0 ? 1 : 0; }

// Where a character stands in deb-version(7)'s order; the end of the text is 0.
int weight(std::string_view text) {
  if (text.empty() || is_digit(text.front())) return 0;
  if (text.front() == '~') return -1;
  return is_letter(text.front()) ? text.front() : text.front() + 256;
}

std::string_view take_digits(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && is_digit(text[size])) ++size;
  std::string_view digits = text.substr(0, size);
  text.remove_prefix(size);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

// Of any length: compared as texts without leading zeros.
int compare_numbers(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? (a.size() < b.size() ? -1 : 1) : sign(a.compare(b));
}

int compare_parts(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    while ((!a.empty() && !is_digit(a.front())) || (!b.empty() && !is_digit(b.front()))) {
      if (weight(a) != weight(b)) return sign(weight(a) - weight(b));
      a.remove_prefix(a.empty() ? 0 : 1);
      b.remove_prefix(b.empty() ? 0 : 1);
    }
    const std::string_view number_a = take_digits(a);
    const std::string_view number_b = take_digits(b);
    if (const int order = compare_numbers(number_a, number_b); order != 0) return order;
  }
  return 0;
}

struct DebianVersion {
  std::string_view epoch, upstream, revision;
};

DebianVersion parse_debian(std::string_view text) {
  DebianVersion version;
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    version.epoch = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  const std::size_t dash = text.rfind('-');
  version.upstream = text.substr(0, dash);
  if (dash != std::string_view::npos) version.revision = text.substr(dash + 1);
  return version;
}

struct SemanticVersion {
  std::array<std::uint64_t, 3> numbers{};
  std::size_t count = 0;  ///< of the numbers that were written
  std::vector<std::string> pre_release;
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool read_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

std::optional<SemanticVersion> parse_semantic(std::string_view text) {
  text = trim(text);
  if (text.starts_with('v')) text.remove_prefix(1);
  text = text.substr(0, text.find('+'));
  SemanticVersion version;
  const std::size_t dash = text.find('-');
  if (dash != std::string_view::npos) version.pre_release = split(text.substr(dash + 1), '.');
  const std::vector<std::string> numbers = split(text.substr(0, dash), '.');
  if (numbers.size() > version.numbers.size()) return std::nullopt;
  for (; version.count < numbers.size(); ++version.count) {
    if (!read_number(numbers[version.count], version.numbers.at(version.count))) return std::nullopt;
  }
  return version;
}

SemanticVersion require_semantic(std::string_view text) {
  auto version = parse_semantic(text);
  if (!version) throw Error(fmt::format("'{}' is not a semantic version", text));
  return *std::move(version);
}

int compare_identifiers(const std::string& a, const std::string& b) {
  std::uint64_t number_a = 0;
  std::uint64_t number_b = 0;
  const bool numeric_a = read_number(a, number_a);
  const bool numeric_b = read_number(b, number_b);
  if (numeric_a && numeric_b) return number_a < number_b ? -1 : number_a > number_b ? 1 : 0;
  if (numeric_a != numeric_b) return numeric_a ? -1 : 1;
  return sign(a.compare(b));
}

int compare(const SemanticVersion& a, const SemanticVersion& b) {
  if (a.numbers != b.numbers) return a.numbers < b.numbers ? -1 : 1;
  // A release comes after its pre-releases.
  if (a.pre_release.empty() || b.pre_release.empty()) {
    return static_cast<int>(a.pre_release.empty()) - static_cast<int>(b.pre_release.empty());
  }
  for (std::size_t i = 0; i < std::min(a.pre_release.size(), b.pre_release.size()); ++i) {
    if (const int order = compare_identifiers(a.pre_release[i], b.pre_release[i]); order != 0) return order;
  }
  return sign(static_cast<long long>(a.pre_release.size()) - static_cast<long long>(b.pre_release.size()));
}

// The first version after all that `~` or `^` allow.
std::string end_of(std::string_view relation, const SemanticVersion& version) {
  const auto [major, minor, patch] = version.numbers;
  if (relation == "~") {
    return version.count < 2 ? fmt::format("{}.0.0", major + 1) : fmt::format("{}.{}.0", major, minor + 1);
  }
  if (major > 0 || version.count < 2) return fmt::format("{}.0.0", major + 1);
  return minor > 0 || version.count < 3 ? fmt::format("0.{}.0", minor + 1) : fmt::format("0.0.{}", patch + 1);
}

bool holds(std::string_view relation, int order) {
  if (relation == "=") return order == 0;
  if (relation == "!=") return order != 0;
  if (relation == "<") return order < 0;
  if (relation == "<=") return order <= 0;
  return relation == ">" ? order > 0 : order >= 0;
}

}  // namespace

int compare_debian_versions(std::string_view a, std::string_view b) {
  const DebianVersion first = parse_debian(a);
  const DebianVersion second = parse_debian(b);
  if (const int order = compare_parts(first.epoch, second.epoch); order != 0) return order;
  if (const int order = compare_parts(first.upstream, second.upstream); order != 0) return order;
  return compare_parts(first.revision, second.revision);
}

int compare_semantic_versions(std::string_view a, std::string_view b) {
  return compare(require_semantic(a), require_semantic(b));
}

VersionRange::VersionRange(VersionScheme scheme, std::string_view text) : scheme_(scheme) {
  for (const std::string& part : split(text, ',')) {
    const std::string_view limit = trim(part);
    const std::size_t start = std::min(limit.find_first_not_of("<>=!~^"), limit.size());
    std::string relation(limit.substr(0, start));
    std::string version(trim(limit.substr(start)));
    if (relation.empty() || relation == "==") relation = "=";
    constexpr std::array<std::string_view, 8> kRelations = {"=", "!=", "<", "<=", ">", ">=", "~", "^"};
    const auto last = kRelations.end() - (scheme == VersionScheme::debian ? 2 : 0);
    if (std::find(kRelations.begin(), last, relation) == last) {
      throw Error(fmt::format("'{}' is not a range of versions: unknown operator '{}'", text, relation));
    }
    if (version.empty() || version.find(' ') != std::string::npos) {
      throw Error(fmt::format("'{}' is not a range of versions: '{}' is no version", text, version));
    }
    if (scheme == VersionScheme::semantic) {
      const auto parsed = parse_semantic(version);
      if (!parsed) throw Error(fmt::format("'{}' is not a range of versions: '{}' is no version", text, version));
      if (relation == "~" || relation == "^") {
        limits_.push_back({"<", end_of(relation, *parsed)});
        relation = ">=";
      }
    }
    limits_.push_back({std::move(relation), std::move(version)});
  }
}

bool VersionRange::contains(std::string_view version) const {
  version = trim(version);
  if (scheme_ == VersionScheme::semantic && !parse_semantic(version)) return false;
  return std::all_of(limits_.begin(), limits_.end(), [&](const Limit& limit) {
    const int order = scheme_ == VersionScheme::debian ? compare_debian_versions(version, limit.version)
                                                       : compare_semantic_versions(version, limit.version);
    return holds(limit.relation, order);
  });
}

}  // namespace mayfly
