#include "mayfly/session/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace mayfly {
namespace {

constexpr std::string_view kPrefix = "mayfly_";
constexpr std::string_view kSuffix = "_ms";

}  // namespace

std::vector<std::pair<std::string, PhaseTimes::Time>> named(const PhaseTimes& times) {
  std::vector<std::pair<std::string, PhaseTimes::Time>> all{
      {"image", times.image}, {"layer", times.layer}, {"converge", times.converge}, {"wait", times.wait},
      {"boot", times.boot},   {"ready", times.ready}, {"teardown", times.teardown}};
  std::erase_if(all, [](const auto& phase) { return phase.second.count() == 0; });
  return all;
}

std::string property_of_phase(std::string_view phase) { return fmt::format("{}{}{}", kPrefix, phase, kSuffix); }

std::string phase_text(PhaseTimes::Time time) {
  return fmt::format("{:.1f}", std::chrono::duration<double, std::milli>(time).count());
}

std::optional<std::pair<std::string, PhaseTimes::Time>> phase_of_property(std::string_view name,
                                                                          std::string_view value) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(std::min(kSuffix.size(), name.size()));
  if (std::find(kPhases.begin(), kPhases.end(), name) == kPhases.end()) return std::nullopt;
  double milliseconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
  if (error != std::errc() || end != value.data() + value.size() || !(milliseconds >= 0 && milliseconds < 1e12)) {
    return std::nullopt;
  }
  return std::pair(std::string(name), PhaseTimes::Time(std::llround(milliseconds * 1000)));
}

}  // namespace mayfly
