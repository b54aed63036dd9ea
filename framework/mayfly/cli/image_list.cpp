#include "mayfly/cli/image_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "mayfly/cli/console.h"
#include "mayfly/cli/live_region.h"

namespace mayfly {
namespace {

/// Of a key; as many as tell the entries of any store apart.
constexpr std::size_t kKeyDigits = 12;
/// Of what an entry is: the packages of an image can be many.
constexpr std::size_t kWhatColumns = 60;

std::string short_key(const StoreEntry& entry) { return entry.key.substr(0, kKeyDigits); }

std::string what(const StoreEntry& entry) {
  std::string text = entry.profile.empty() ? entry.what : fmt::format("{}: {}", entry.profile, entry.what);
  if (entry.orphaned) {
    text = "its image is gone: " + text;
  }
  return fit(text.empty() ? "-" : text, kWhatColumns);
}

}  // namespace

std::string rounded(Bytes size) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  constexpr double kStep = 1024;
  auto value = static_cast<double>(size.count);
  std::size_t unit = 0;
  for (; value >= kStep && unit + 1 < kUnits.size(); ++unit) {
    value /= kStep;
  }
  // Three digits are plenty.
  return fmt::format("{:.{}f} {}", value, unit > 0 && value < 10 ? 1 : 0, kUnits[unit]);
}

std::string rounded_age(std::time_t since, std::time_t now) {
  const std::time_t seconds = std::max<std::time_t>(now - since, 0);
  constexpr std::time_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (seconds < kMinute) return fmt::format("{}s", seconds);
  if (seconds < kHour) return fmt::format("{}min", seconds / kMinute);
  if (seconds < kDay) return fmt::format("{}h", seconds / kHour);
  return fmt::format("{}d", seconds / kDay);
}

std::string store_table(const std::vector<StoreEntry>& entries, std::time_t now) {
  std::vector<std::vector<std::string>> rows{{"KIND", "KEY", "SIZE", "SHARED", "USED", "AGE", "STATE", "WHAT"}};
  for (const StoreEntry& entry : entries) {
    const bool below = entry.kind == StoreEntry::Kind::layer && !entry.parent.empty() && !entry.orphaned;
    const std::uint64_t shared = entry.disk.shared_bytes();
    rows.push_back({fmt::format("{}{}", below ? "  " : "", name_of(entry.kind)), short_key(entry),
                    rounded({entry.disk.own}), shared == 0 ? "-" : rounded({shared}), rounded_age(entry.last_used, now),
                    rounded_age(entry.created, now), entry.in_use ? "in use" : "-", what(entry)});
  }
  return format_table(rows);
}

std::string store_json(const std::vector<StoreEntry>& entries, const std::filesystem::path& store) {
  boost::json::array list;
  for (const StoreEntry& entry : entries) {
    list.push_back({{"kind", name_of(entry.kind)},
                    {"key", entry.key},
                    {"what", entry.what},
                    {"profile", entry.profile},
                    {"parent", entry.parent},
                    {"orphaned", entry.orphaned},
                    {"path", entry.path.string()},
                    {"size", entry.disk.own},
                    {"shared", entry.disk.shared_bytes()},
                    {"created", entry.created},
                    {"last_used", entry.last_used},
                    {"in_use", entry.in_use}});
  }
  return boost::json::serialize(boost::json::object{
      {"store", store.string()}, {"size", total_size(entries).count}, {"entries", std::move(list)}});
}

std::string prune_text(const PruneReport& report, bool dry_run, std::time_t now) {
  std::string text;
  for (const PruneReport::Removed& removed : report.removed) {
    text +=
        fmt::format("{} {} {}, unused for {}: {}\n", dry_run ? "would remove" : "removed", name_of(removed.entry.kind),
                    short_key(removed.entry), rounded_age(removed.entry.last_used, now), what(removed.entry));
  }
  for (const StoreEntry& entry : report.in_use) {
    text += fmt::format("in use, stays: {} {}: {}\n", name_of(entry.kind), short_key(entry), what(entry));
  }
  if (report.removed.empty() && report.notes == 0) {
    return text + fmt::format("nothing to remove; the store has {}\n", rounded(report.left));
  }
  const std::size_t count = report.removed.size();
  const std::string notes =
      report.notes == 0 ? "" : fmt::format(" and {} note{}", report.notes, report.notes == 1 ? "" : "s");
  return text + fmt::format("{} {} of {} {}{}; {} {}\n", rounded(report.freed), dry_run ? "would be freed" : "freed",
                            count, count == 1 ? "entry" : "entries", notes, rounded(report.left),
                            dry_run ? "would be left" : "left");
}

}  // namespace mayfly
