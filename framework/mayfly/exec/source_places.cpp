#include "mayfly/exec/source_places.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "mayfly/support/lines.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

/// "(MODULE+0x11dd)" in a line.
struct Mention {
  std::size_t at = 0;
  std::string_view module;
  std::uint64_t address = 0;
};

std::optional<Mention> mention_in(std::string_view line) {
  const std::size_t plus = line.rfind("+0x");
  const std::size_t open = plus == std::string_view::npos ? plus : line.rfind('(', plus);
  const std::size_t close = plus == std::string_view::npos ? plus : line.find(')', plus);
  // What has a function already is known.
  if (open == std::string_view::npos || close == std::string_view::npos ||
      line.substr(0, open).find(" in ") != std::string_view::npos) {
    return std::nullopt;
  }
  Mention mention{.at = open, .module = line.substr(open + 1, plus - open - 1)};
  const char* const end = line.data() + close;
  const auto number = std::from_chars(line.data() + plus + 3, end, mention.address, 16);
  return number.ec == std::errc() && number.ptr == end ? std::optional(mention) : std::nullopt;
}

}  // namespace

std::vector<SourcePlace> source_places(const std::filesystem::path& file, const std::vector<std::uint64_t>& addresses) {
  if (addresses.empty() || !find_program("addr2line")) return {};
  std::vector<std::string> argv{"addr2line", "--functions", "--demangle", "--basenames", "--exe", file.string()};
  for (const std::uint64_t address : addresses) argv.push_back(fmt::format("{:#x}", address));
  const ProcessResult result = run_process(argv, {.timeout = Milliseconds(20'000)});
  // Two lines an address: function and place, "??" where it knows none.
  const auto lines = lines_of(result.out);
  if (!result.ok() || lines.size() < 2 * addresses.size()) return {};
  std::vector<SourcePlace> places(addresses.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (lines[2 * i] != "??") places[i].function = lines[2 * i];
    const std::string_view place = lines[2 * i + 1];
    if (place.find(":?") == std::string_view::npos && place.find("??") == std::string_view::npos) {
      places[i].place = place.substr(0, place.find(" ("));
    }
  }
  return places;
}

std::string with_source_places(
    std::string_view report,
    const std::function<std::optional<std::filesystem::path>(std::string_view module)>& file_of) {
  const auto lines = lines_of(report);
  std::vector<std::optional<Mention>> mentions;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_module;
  for (const std::string_view line : lines) {
    mentions.push_back(mention_in(line));
    if (mentions.back()) by_module[std::string(mentions.back()->module)].push_back(mentions.size() - 1);
  }
  std::vector<SourcePlace> places(lines.size());
  for (const auto& [module, numbers] : by_module) {
    const std::optional<std::filesystem::path> file = file_of(module);
    if (!file) continue;
    std::vector<std::uint64_t> addresses;
    for (const std::size_t number : numbers) addresses.push_back(mentions[number]->address);
    std::vector<SourcePlace> found = source_places(*file, addresses);
    for (std::size_t i = 0; i < found.size(); ++i) places[numbers[i]] = std::move(found[i]);
  }
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& [function, place] = places[i];
    if (function.empty()) {
      text += lines[i];
    } else {
      const std::size_t at = lines[i].find_last_not_of(' ', mentions[i]->at - 1) + 1;
      text += fmt::format("{} in {}{}{} {}", lines[i].substr(0, at), function, place.empty() ? "" : " ", place,
                          lines[i].substr(mentions[i]->at));
    }
    text += '\n';
  }
  return text;
}

}  // namespace mayfly
