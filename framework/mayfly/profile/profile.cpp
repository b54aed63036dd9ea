#include "mayfly/profile/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "mayfly/profile/diagnostic.h"
#include "mayfly/profile/goss.h"
#include "mayfly/profile/sections.h"
#include "mayfly/profile/values.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr std::size_t kLongestLabel = 63;     // RFC 1035
constexpr std::size_t kLongestHostname = 64;  // HOST_NAME_MAX

bool is_label_character(unsigned char c) { return std::isalnum(c) != 0 || c == '-'; }

bool is_hostname(std::string_view text) {
  if (text.empty() || text.size() > kLongestHostname) {
    return false;
  }
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > kLongestLabel || label.starts_with('-') || label.ends_with('-') ||
        !std::all_of(label.begin(), label.end(), is_label_character)) {
      return false;
    }
    if (label.size() == text.size()) {
      return true;
    }
    text.remove_prefix(label.size() + 1);
  }
}

// "My_Web server" -> "my-web-server"
std::string hostname_from(std::string_view name) {
  std::string result;
  for (const char c : name.substr(0, kLongestLabel)) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_label_character(byte) && c != '-') {
      result += static_cast<char>(std::tolower(byte));
    } else if (!result.empty() && result.back() != '-') {
      result += '-';
    }
  }
  while (result.ends_with('-')) {
    result.pop_back();
  }
  return result.empty() ? "mayfly" : result;
}

std::optional<Network> read_network(Reader& reader, std::string_view name, const DocumentNode& node) {
  const auto word = read_one_of(reader, name, node, kNetworkNames);
  if (!word) {
    return std::nullopt;
  }
  return *word == "host" ? Network::host : *word == "nat" ? Network::nat : Network::none;
}

std::optional<Writable> read_writable(Reader& reader, std::string_view name, const DocumentNode& node) {
  constexpr std::array<std::string_view, 2> kPlaces = {"memory", "disk"};
  const auto word = read_one_of(reader, name, node, kPlaces);
  if (!word) {
    return std::nullopt;
  }
  return *word == "disk" ? Writable::disk : Writable::memory;
}

std::optional<std::string> read_hostname(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto text = read_text(reader, name, node);
  if (text && !is_hostname(*text)) {
    reader.error(node.place, fmt::format("'{}' is not a host name", *text),
                 "letters, digits and '-', in labels parted by '.'; at most 64 characters");
    return std::nullopt;
  }
  return text;
}

constexpr auto kReadPids = read_integer_in<std::uint64_t, 1, 4'194'304>;  // the kernel's PID_MAX_LIMIT

constexpr Schema<Limits, 4> kLimits{.title = "[limits]",
                                    .fields = {{{"memory", into<Limits, &Limits::memory, read_size>},
                                                {"cpus", into<Limits, &Limits::cpus, read_number>},
                                                {"pids", into<Limits, &Limits::pids, kReadPids>},
                                                {"disk", into<Limits, &Limits::disk, read_size>}}}};

void read_goss(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  if (const auto file = read_file_path(reader, name, node)) {
    // Its own mistakes have places in another file: they are reported alone.
    for (Check& check : load_goss(*file)) profile.checks.push_back(std::move(check));
  }
}

// `ignore = [...]` at the top level is what it is in [idempotence].
void read_ignore_of_idempotence(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  DocumentNode table{.kind = DocumentNode::Kind::table, .place = node.place};
  table.entries.push_back({std::string(name), node.place, node});
  read_idempotence(reader, "idempotence", table, profile);
}

constexpr Schema<Profile, 18> kProfile{.title = "",
                                       .fields = {{{"image", read_image},
                                                   {"init", read_init},
                                                   {"limits", into_table<Profile, &Profile::limits, kLimits>},
                                                   {"network", into<Profile, &Profile::network, read_network>},
                                                   {"writable", into<Profile, &Profile::writable, read_writable>},
                                                   {"privileged", into<Profile, &Profile::privileged, read_boolean>},
                                                   {"hostname", into<Profile, &Profile::hostname, read_hostname>},
                                                   {"env", into<Profile, &Profile::env, read_variables>},
                                                   {"prepare", read_prepare},
                                                   {"provision", read_provision},
                                                   {"side_effect", read_side_effect},
                                                   {"cleanup", read_cleanup},
                                                   {"check", read_checks},
                                                   {"goss", read_goss},
                                                   {"scenario", read_scenario},
                                                   {"idempotence", read_idempotence},
                                                   {"ignore", read_ignore_of_idempotence},
                                                   {"matrix", read_matrix}}}};

}  // namespace

Profile parse_profile(std::string_view toml, std::string_view name, const std::filesystem::path& directory) {
  const DocumentNode document = parse_document(toml, name);
  Profile profile;
  profile.name = std::filesystem::path(name).stem().string();
  profile.hostname = hostname_from(profile.name);
  Reader reader(std::filesystem::absolute(directory));
  read_table(reader, kProfile, name, document, profile);
  check_matrix(reader, document, profile);
  if (profile.writable == Writable::disk && profile.limits.disk) {
    reader.error(document.find("limits")->value.find("disk")->place, "'disk' limits a writable layer in memory only",
                 "leave it out, or writable = \"disk\"");
  }
  if (std::vector<Diagnostic> diagnostics = reader.take_diagnostics(); !diagnostics.empty()) {
    throw ProfileError(name, toml, std::move(diagnostics));
  }
  return profile;
}

Profile load_profile(const std::filesystem::path& file) {
  const std::string toml =
      in_context(fmt::format("reading profile '{}'", file.string()), [&] { return read_file(file); });
  const std::filesystem::path absolute = std::filesystem::absolute(file).lexically_normal();
  Profile profile = parse_profile(toml, file.string(), absolute.parent_path());
  profile.file = absolute;
  return profile;
}

std::vector<TableKeys> all_tables() {
  std::vector<TableKeys> all = {keys_of(kProfile), keys_of(kLimits)};
  for (const auto& tables : {image_tables(), init_tables(), provision_tables(), check_tables(), scenario_tables()}) {
    all.insert(all.end(), tables.begin(), tables.end());
  }
  return all;
}

}  // namespace mayfly
