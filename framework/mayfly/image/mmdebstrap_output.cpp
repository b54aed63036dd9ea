#include "mayfly/image/mmdebstrap_output.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

constexpr std::string_view kNoSpace = "No space left on device";

/// Error lines of apt, without those in which mmdebstrap only says that apt failed.
std::vector<std::string_view> error_lines(std::string_view output) {
  constexpr std::array kWrappers{"E: setup failed", "E: mmdebstrap failed", "E: apt-get ",
                                 "E: Some index files failed"};
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0; begin < output.size();) {
    const std::size_t end = std::min(output.find('\n', begin), output.size());
    const std::string_view line = output.substr(begin, end - begin);
    begin = end + 1;
    const bool wrapper =
        std::any_of(kWrappers.begin(), kWrappers.end(), [&](const char* wrapped) { return line.starts_with(wrapped); });
    if (line.starts_with("E: ") && !wrapper && std::find(lines.begin(), lines.end(), line) == lines.end()) {
      lines.push_back(line);
    }
  }
  return lines;
}

std::optional<std::string_view> between(std::string_view line, std::string_view before, std::string_view after) {
  const std::size_t found = line.find(before);
  if (found == std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t begin = found + before.size();
  const std::size_t end = after.empty() ? line.size() : line.find(after, begin);
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  return line.substr(begin, end - begin);
}

std::optional<Error> missing_packages(std::string_view what, const std::vector<std::string_view>& lines) {
  std::vector<std::string> names;
  for (const std::string_view line : lines) {
    auto name = between(line, "Unable to locate package ", "");
    if (!name) {
      name = between(line, "Package '", "' has no installation candidate");
    }
    if (name) {
      names.push_back(fmt::format("'{}'", *name));
    }
  }
  if (names.empty()) {
    return std::nullopt;
  }
  Error error(fmt::format("{}: the archive has no package {}", what, fmt::join(names, ", ")));
  error.set_hint("packages come from the suite's section 'main'");
  return error;
}

struct MissingSuite {
  std::string_view mirror, suite;
};

std::optional<MissingSuite> missing_suite_in(std::string_view line) {
  const auto repository = between(line, "The repository '", " Release' does not have a Release file");
  const std::size_t space = repository ? repository->rfind(' ') : std::string_view::npos;
  if (space == std::string_view::npos) {
    return std::nullopt;
  }
  return MissingSuite{repository->substr(0, space), repository->substr(space + 1)};
}

std::optional<Error> missing_suite(std::string_view what, const std::vector<std::string_view>& lines) {
  std::optional<MissingSuite> missing;
  for (const std::string_view line : lines) {
    const std::optional<MissingSuite> found = missing_suite_in(line);
    // Where the suite itself is missing, so are its companions 'x-security' and 'x-updates', and apt fetches all at
    // once.
    if (found && (!missing || found->suite.size() < missing->suite.size())) {
      missing = found;
    }
  }
  if (!missing) {
    return std::nullopt;
  }
  Error error(fmt::format("{}: '{}' has no suite '{}'", what, missing->mirror, missing->suite));
  error.set_hint("suites are for example 'bookworm' and 'trixie'; image.mirror names another mirror");
  return error;
}

}  // namespace

std::optional<std::string> stage_of(std::string_view line) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kStages{{
      {"I: running apt-get update", "fetching the package lists"},
      {"I: downloading packages", "downloading packages"},
      {"I: extracting archives", "unpacking essential packages"},
      {"I: installing essential", "installing essential packages"},
      {"I: installing remaining", "installing packages"},
      {"I: cleaning", "cleaning up"},
      {"I: copying", "copying into the store"},
  }};
  for (const auto& [begin, stage] : kStages) {
    if (line.starts_with(begin)) {
      return std::string(stage);
    }
  }
  return std::nullopt;
}

bool says_no_space(std::string_view output) {
  return output.find(kNoSpace) != std::string_view::npos ||
         output.find("You don't have enough free space") != std::string_view::npos;
}

Error mmdebstrap_error(std::string_view what, std::string_view output) {
  const std::vector<std::string_view> lines = error_lines(output);
  if (says_no_space(output)) {
    return Error(fmt::format("{}: {}", what, kNoSpace));
  }
  if (std::optional<Error> error = missing_packages(what, lines)) {
    return *std::move(error);
  }
  if (std::optional<Error> error = missing_suite(what, lines)) {
    return *std::move(error);
  }
  const auto says = [&](std::string_view text) { return output.find(text) != std::string_view::npos; };
  const std::string cause =
      lines.empty()
          ? tail(output, 5)
          : fmt::format(
                "{}", fmt::join(lines.begin(), lines.begin() + std::min<std::ptrdiff_t>(std::ssize(lines), 4), "\n  "));
  Error error(fmt::format("{}: {}", what, std::string_view(cause).substr(cause.starts_with("E: ") ? 3 : 0)));
  if (says("NO_PUBKEY") || says("is not signed") || says("Missing key")) {
    error.set_hint("the host may lack the suite's key: install or upgrade its package debian-archive-keyring");
  } else if (says("Failed to fetch") || says("Could not resolve") || says("Could not connect")) {
    error.set_hint(
        "check the network and what 'apt-config dump Acquire' says about proxies; 'apt-get update' on the host "
        "has to work");
  }
  return error;
}

}  // namespace mayfly
