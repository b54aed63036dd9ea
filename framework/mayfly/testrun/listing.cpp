#include "mayfly/testrun/listing.h"

#include <algorithm>

#include "mayfly/support/lines.h"

namespace mayfly {
namespace {

constexpr std::string_view kComment = "  # ";

bool has_disabled_part(std::string_view name) {
  constexpr std::string_view kDisabled = "DISABLED_";
  return name.starts_with(kDisabled) || name.find("/DISABLED_") != std::string_view::npos;
}

}  // namespace

std::vector<ListedSuite> parse_listing(std::string_view text) {
  std::vector<ListedSuite> suites;
  for (const std::string_view line : lines_of(text)) {
    const std::string_view name = line.substr(0, std::min(line.find(kComment), line.size()));
    if (name.starts_with("  ")) {
      const std::string_view test = name.substr(2);
      if (!suites.empty() && !test.empty() && test.find(' ') == std::string_view::npos) {
        suites.back().tests.emplace_back(test);
      }
    } else if (name.size() > 1 && name.ends_with('.') && name.find(' ') == std::string_view::npos) {
      suites.push_back({.name = std::string(name.substr(0, name.size() - 1))});
    }
  }
  std::erase_if(suites, [](const ListedSuite& suite) { return suite.tests.empty(); });
  return suites;
}

bool is_disabled(std::string_view suite, std::string_view test) {
  return has_disabled_part(suite) || has_disabled_part(test);
}

}  // namespace mayfly
