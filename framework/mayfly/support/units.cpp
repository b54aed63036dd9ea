#include "mayfly/support/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>

namespace mayfly {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kKibi = 1024;
constexpr std::uint64_t kKilo = 1000;

constexpr std::array kSizeUnits = {
    Unit{"TiB", kKibi* kKibi* kKibi* kKibi},
    Unit{"GiB", kKibi* kKibi* kKibi},
    Unit{"MiB", kKibi* kKibi},
    Unit{"KiB", kKibi},
    Unit{"TB", kKilo* kKilo* kKilo* kKilo},
    Unit{"GB", kKilo* kKilo* kKilo},
    Unit{"MB", kKilo* kKilo},
    Unit{"kB", kKilo},
    Unit{"B", 1},
    Unit{"", 1},
};

constexpr std::array kTimeUnits = {
    Unit{"ms", 1}, Unit{"s", 1000}, Unit{"min", 60'000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}, Unit{"d", 86'400'000},
};

// A million hours: beyond any use, and std::chrono::steady_clock can still count it in nanoseconds.
constexpr std::uint64_t kLongestDuration = 3'600'000'000'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

void skip_spaces(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
}

// Six digits after the point times the largest unit still fit into 64 bits.
constexpr int kMaxFractionDigits = 6;

// A decimal number with a unit, taken from the front of `text`; exact, without floating point.
std::optional<std::uint64_t> take_quantity(std::string_view& text, std::span<const Unit> units, bool exact) {
  if (text.empty() || !is_digit(text.front())) {
    return std::nullopt;
  }
  std::uint64_t whole = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    if (__builtin_mul_overflow(whole, std::uint64_t{10}, &whole) ||
        __builtin_add_overflow(whole, static_cast<std::uint64_t>(text.front() - '0'), &whole)) {
      return std::nullopt;
    }
  }
  std::uint64_t fraction = 0;
  std::uint64_t scale = 1;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    int digits = 0;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits) {
      fraction = fraction * 10 + static_cast<std::uint64_t>(text.front() - '0');
      scale *= 10;
      if (digits == kMaxFractionDigits) {
        return std::nullopt;
      }
    }
    if (digits == 0) {
      return std::nullopt;
    }
  }
  skip_spaces(text);
  const auto end = std::find_if_not(text.begin(), text.end(), is_letter);
  const std::string_view name = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& known) { return known.name == name; });
  if (unit == units.end()) {
    return std::nullopt;
  }
  text.remove_prefix(name.size());
  const std::uint64_t part = fraction * unit->factor;
  if (part % scale != 0 && (exact || unit->factor == 1)) {
    return std::nullopt;
  }
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(whole, unit->factor, &result) || __builtin_add_overflow(result, part / scale, &result)) {
    return std::nullopt;
  }
  return result;
}

}  // namespace

std::optional<Bytes> parse_bytes(std::string_view text) {
  const auto count = take_quantity(text, kSizeUnits, false);
  if (!count || !text.empty()) {
    return std::nullopt;
  }
  return Bytes{*count};
}

std::optional<Milliseconds> parse_duration(std::string_view text) {
  std::uint64_t sum = 0;
  do {
    const auto part = take_quantity(text, kTimeUnits, true);
    if (!part || *part > kLongestDuration || sum + *part > kLongestDuration) {
      return std::nullopt;
    }
    sum += *part;
    skip_spaces(text);
  } while (!text.empty());
  return Milliseconds(static_cast<Milliseconds::rep>(sum));
}

std::string to_string(Bytes size) {
  if (size.count != 0) {
    for (const Unit& unit : std::span(kSizeUnits).first(4)) {
      if (size.count % unit.factor == 0) {
        return fmt::format("{}{}", size.count / unit.factor, unit.name);
      }
    }
  }
  return fmt::format("{}B", size.count);
}

std::string to_string(Milliseconds duration) {
  using namespace std::chrono;
  if (duration < Milliseconds(0)) {
    return "-" + to_string(-duration);
  }
  if (duration < seconds(1)) {
    return fmt::format("{}ms", duration.count());
  }
  const auto joined = [](std::int64_t large, const char* unit, std::int64_t small, const char* small_unit) {
    return small == 0 ? fmt::format("{}{}", large, unit) : fmt::format("{}{} {}{}", large, unit, small, small_unit);
  };
  if (duration < minutes(1)) {
    std::string text = fmt::format("{}.{:03}", duration.count() / 1000, duration.count() % 1000);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
      text.pop_back();
    }
    return text + "s";
  }
  if (const auto rounded = round<seconds>(duration); rounded < hours(1)) {
    return joined(rounded / minutes(1), "min", (rounded % minutes(1)).count(), "s");
  }
  const auto rounded = round<minutes>(duration);
  return joined(rounded / hours(1), "h", (rounded % hours(1)).count(), "min");
}

}  // namespace mayfly
