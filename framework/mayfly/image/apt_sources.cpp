#include "mayfly/image/apt_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <utility>

namespace mayfly {
namespace {

constexpr std::string_view kUnknown = "$(";  // apt leaves a placeholder that it has no value for as it is

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string known(std::string_view field) { return field.starts_with(kUnknown) ? std::string() : std::string(field); }

std::string lowercase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// Development suites get their fixes directly.
bool has_updates(std::string_view suite) {
  constexpr std::array kRolling{"sid", "unstable", "experimental", "rc-buggy"};
  return std::find(kRolling.begin(), kRolling.end(), suite) == kRolling.end();
}

}  // namespace

std::string index_target_format() { return "$(REPO_URI)|$(RELEASE)|$(ORIGIN)|$(LABEL)|$(SIGNED_BY)"; }

std::vector<AptIndex> parse_index_targets(std::string_view text) {
  std::vector<AptIndex> indexes;
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> fields = split(line, '|');
    if (fields.size() != 5) {
      continue;  // a key that stands in the source itself spans lines
    }
    AptIndex index{.uri = known(fields[0]),
                   .release = known(fields[1]),
                   .origin = known(fields[2]),
                   .label = known(fields[3]),
                   .signed_by = known(fields[4])};
    while (index.uri.ends_with('/')) {
      index.uri.pop_back();
    }
    if (!index.signed_by.starts_with('/')) {
      index.signed_by.clear();
    }
    if (!index.uri.empty() && !index.uri.starts_with("cdrom:") &&
        std::find(indexes.begin(), indexes.end(), index) == indexes.end()) {
      indexes.push_back(std::move(index));
    }
  }
  return indexes;
}

std::optional<DebianMirrors> choose_mirrors(const std::vector<AptIndex>& indexes, std::string_view host_codename) {
  const auto find = [&](std::string_view label, const std::string& release) {
    return std::find_if(indexes.begin(), indexes.end(), [&](const AptIndex& index) {
      return index.origin.empty() ? !host_codename.empty() && index.release == release
                                  : index.origin == "Debian" && index.label == label;
    });
  };
  const auto archive = find("Debian", std::string(host_codename));
  if (archive == indexes.end()) {
    return std::nullopt;
  }
  const auto security = find("Debian-Security", fmt::format("{}-security", host_codename));
  return DebianMirrors{.archive = archive->uri,
                       .security = security == indexes.end() ? std::string() : security->uri,
                       .signed_by = archive->signed_by};
}

std::string debian_codename(std::string_view os_release) {
  bool debian = false;
  std::string codename;
  for (const std::string_view line : split(os_release, '\n')) {
    if (line == "ID=debian" || line == "ID=\"debian\"") {
      debian = true;
    } else if (constexpr std::string_view kKey = "VERSION_CODENAME="; line.starts_with(kKey)) {
      codename = line.substr(kKey.size());
      std::erase(codename, '"');
    }
  }
  return debian ? codename : std::string();
}

std::vector<std::string> acquire_settings(std::string_view apt_config_dump) {
  constexpr std::array kPrefixes{
      "acquire::http::",     "acquire::https::",       "acquire::ftp::",   "acquire::check-valid-until",
      "acquire::check-date", "acquire::max-validtime", "acquire::retries", "acquire::forceipv"};
  std::vector<std::string> settings;
  for (const std::string_view line : split(apt_config_dump, '\n')) {
    const std::string lower = lowercase(line);
    const bool wanted =
        std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](const char* prefix) { return lower.starts_with(prefix); });
    if (wanted && !line.ends_with(" \"\";")) {
      settings.emplace_back(line);
    }
  }
  return settings;
}

std::vector<std::string> settings_for_the_image(const std::vector<std::string>& settings) {
  constexpr std::array kOnTheHost{"autodetect", "auto-detect", "cainfo",     "capath",      "sslcert", "sslkey",
                                  "crlfile",    "issuercert",  "//127.0.0.", "//localhost", "//[::1]"};
  std::vector<std::string> kept;
  std::copy_if(settings.begin(), settings.end(), std::back_inserter(kept), [&](const std::string& setting) {
    const std::string lower = lowercase(setting);
    return std::none_of(kOnTheHost.begin(), kOnTheHost.end(),
                        [&](const char* part) { return lower.find(part) != std::string::npos; });
  });
  return kept;
}

std::vector<std::string> source_lines(std::string_view suite, const DebianMirrors& mirrors, std::string_view options) {
  const std::string deb = options.empty() ? "deb" : fmt::format("deb [{}]", options);
  std::vector<std::string> lines{fmt::format("{} {} {} main", deb, mirrors.archive, suite)};
  if (has_updates(suite) && !mirrors.security.empty()) {
    lines.push_back(fmt::format("{} {} {}-updates main", deb, mirrors.archive, suite));
    lines.push_back(fmt::format("{} {} {}-security main", deb, mirrors.security, suite));
  }
  return lines;
}

}  // namespace mayfly
