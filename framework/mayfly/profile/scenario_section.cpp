#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "mayfly/profile/sections.h"
#include "mayfly/profile/spelling.h"
#include "mayfly/profile/values.h"

namespace mayfly {
namespace {

using Kind = DocumentNode::Kind;

constexpr std::size_t kMostCells = 256;

std::optional<ScenarioStep> read_step(Reader& reader, std::string_view name, const DocumentNode& node) {
  const auto word = read_one_of(reader, name, node, kScenarioStepNames);
  return word ? parse_scenario_step(*word) : std::nullopt;
}

std::optional<std::vector<ScenarioStep>> read_step_names(Reader& reader, std::string_view name,
                                                         const DocumentNode& node) {
  std::vector<ScenarioStep> steps;
  for (const std::string& word : read_names(reader, name, node).value_or(std::vector<std::string>{})) {
    const auto item =
        std::find_if(node.items.begin(), node.items.end(), [&](const DocumentNode& n) { return n.text == word; });
    if (const auto step = read_step(reader, name, *item)) steps.push_back(*step);
  }
  return steps;
}

std::optional<std::vector<ScenarioStep>> read_skip(Reader& reader, std::string_view name, const DocumentNode& node) {
  for (const DocumentNode& item : node.items) {
    if (item.kind == Kind::text && item.text == to_string(ScenarioStep::destroy)) {
      reader.error(item.place, "'destroy' can't be skipped", "'mayfly verify --keep' opens a shell before it");
    }
  }
  return read_step_names(reader, name, node);
}

std::optional<std::vector<ScenarioStep>> read_also(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto steps = read_step_names(reader, name, node);
  for (const DocumentNode& item : node.items) {
    const auto step = item.kind == Kind::text ? parse_scenario_step(item.text) : std::nullopt;
    if (step && !is_optional(*step)) {
      reader.error(item.place, fmt::format("'{}' is no optional step: it is taken anyhow", item.text),
                   "optional are check, reproducible and upgrade");
    }
  }
  return steps;
}

constexpr Schema<ScenarioSettings, 4> kScenario{
    .title = "[scenario]",
    .fields = {{{"steps", into<ScenarioSettings, &ScenarioSettings::steps, read_step_names>},
                {"skip", into<ScenarioSettings, &ScenarioSettings::skip, read_skip>},
                {"also", into<ScenarioSettings, &ScenarioSettings::also, read_also>},
                {"upgrade_from", into<ScenarioSettings, &ScenarioSettings::upgrade_from, read_file_path>}}}};

template <const auto& Resource, auto Read>
void read_ignored(Reader& reader, std::string_view name, const DocumentNode& node, IgnoreSetting& out) {
  out.resource = Resource;
  out.pattern = Read(reader, name, node).value_or("");
}

constexpr std::string_view kFile = "file", kPackage = "package", kUnit = "unit", kUser = "user", kGroup = "group",
                           kPort = "port", kMount = "mount", kSysctl = "sysctl", kEnvironment = "environment";

constexpr Schema<IgnoreSetting, 10> kIgnore{
    .title = "[[idempotence.ignore]]",
    .fields = {{{"path", read_ignored<kFile, read_absolute_path>, Need::choice},
                {"package", read_ignored<kPackage, read_word>, Need::choice},
                {"unit", read_ignored<kUnit, read_word>, Need::choice},
                {"user", read_ignored<kUser, read_word>, Need::choice},
                {"group", read_ignored<kGroup, read_word>, Need::choice},
                {"port", read_ignored<kPort, read_word>, Need::choice},
                {"mount", read_ignored<kMount, read_absolute_path>, Need::choice},
                {"sysctl", read_ignored<kSysctl, read_word>, Need::choice},
                {"environment", read_ignored<kEnvironment, read_word>, Need::choice},
                {"reason", into<IgnoreSetting, &IgnoreSetting::reason, read_word>, Need::required}}}};

void read_ignore(Reader& reader, std::string_view name, const DocumentNode& node, IdempotenceSettings& out) {
  if (node.kind != Kind::array) {
    reader.wrong_type(name, node, "an array of tables",
                      R"(write ignore = [{ path = "/var/lib/x/**", reason = "its database" }])");
    return;
  }
  for (const DocumentNode& item : node.items) {
    IgnoreSetting setting;
    read_table(reader, kIgnore, name, item, setting);
    out.ignore.push_back(std::move(setting));
  }
}

void read_boot(Reader& reader, std::string_view name, const DocumentNode& node, IdempotenceSettings& out) {
  if (const auto boot = read_one_of(reader, name, node, kIdempotenceBootNames)) {
    const auto found = std::find(kIdempotenceBootNames.begin(), kIdempotenceBootNames.end(), *boot);
    out.boot = static_cast<IdempotenceBoot>(found - kIdempotenceBootNames.begin());
  }
}

constexpr Schema<IdempotenceSettings, 3> kIdempotence{
    .title = "[idempotence]",
    .fields = {{{"skip", into<IdempotenceSettings, &IdempotenceSettings::skip, read_boolean>},
                {"boot", read_boot},
                {"ignore", read_ignore}}}};

using Axes = std::vector<MatrixAxis>;

/// Reads an axis' values with `read_value`; each has to be there once.
template <typename ReadValue>
void add_axis(Reader& reader, MatrixAxis& axis, const DocumentNode& node, ReadValue read_value) {
  if (node.kind != Kind::array) {
    reader.wrong_type(axis.name, node, "an array of values");
    return;
  }
  if (node.items.empty()) reader.error(node.place, fmt::format("'{}' has no values", axis.name));
  for (const DocumentNode& item : node.items) {
    const std::optional<std::string> value = read_value(item);
    if (!value) continue;
    if (std::find(axis.values.begin(), axis.values.end(), *value) != axis.values.end()) {
      reader.error(item.place, fmt::format("{} stands twice in '{}'", *value, axis.name));
    }
    axis.values.push_back(*value);
  }
}

void read_suite_axis(Reader& reader, std::string_view name, const DocumentNode& node, Axes& out) {
  out.push_back({.kind = MatrixAxis::Kind::suite, .name = std::string(name), .values = {}});
  add_axis(reader, out.back(), node, [&](const DocumentNode& item) { return read_suite(reader, name, item); });
}

void read_network_axis(Reader& reader, std::string_view name, const DocumentNode& node, Axes& out) {
  out.push_back({.kind = MatrixAxis::Kind::network, .name = std::string(name), .values = {}});
  add_axis(reader, out.back(), node,
           [&](const DocumentNode& item) { return read_one_of(reader, name, item, kNetworkNames); });
}

void read_privileged_axis(Reader& reader, std::string_view name, const DocumentNode& node, Axes& out) {
  out.push_back({.kind = MatrixAxis::Kind::privileged, .name = std::string(name), .values = {}});
  add_axis(reader, out.back(), node, [&](const DocumentNode& item) -> std::optional<std::string> {
    const auto value = read_boolean(reader, name, item);
    return value ? std::optional<std::string>(*value ? "true" : "false") : std::nullopt;
  });
}

/// An axis for each variable. `ReadTable` checks a name and reads a value, as it does where one has a single value.
template <MatrixAxis::Kind AxisKind, auto ReadTable>
void read_variable_axes(Reader& reader, std::string_view name, const DocumentNode& node, Axes& out) {
  if (node.kind != Kind::table) {
    reader.wrong_type(name, node, "a table of arrays");
    return;
  }
  for (const DocumentEntry& entry : node.entries) {
    out.push_back({.kind = AxisKind, .name = entry.key, .values = {}});
    add_axis(reader, out.back(), entry.value, [&](const DocumentNode& item) -> std::optional<std::string> {
      const DocumentNode single{.kind = Kind::table, .entries = {{entry.key, entry.place, item}}, .place = item.place};
      const auto values = ReadTable(reader, name, single);
      return values && !values->empty() ? std::optional(values->begin()->second) : std::nullopt;
    });
  }
}

constexpr Schema<Axes, 5> kMatrix{.title = "[matrix]",
                                  .fields = {{{"suite", read_suite_axis},
                                              {"network", read_network_axis},
                                              {"privileged", read_privileged_axis},
                                              {"env", read_variable_axes<MatrixAxis::Kind::env, read_variables>},
                                              {"vars", read_variable_axes<MatrixAxis::Kind::vars, read_json_texts>}}}};

}  // namespace

std::optional<ScenarioStep> parse_scenario_step(std::string_view name) {
  const auto found = std::find(kScenarioStepNames.begin(), kScenarioStepNames.end(), name);
  if (found == kScenarioStepNames.end()) return std::nullopt;
  return static_cast<ScenarioStep>(found - kScenarioStepNames.begin());
}

void read_scenario(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  read_table(reader, kScenario, name, node, profile.scenario);
  const DocumentEntry* steps = node.find("steps");
  if (steps != nullptr && node.find("skip") != nullptr) {
    reader.error(steps->place, "'steps' can't stand beside 'skip' in [scenario]",
                 "name either those to take or those to leave out");
  }
}

void read_idempotence(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  read_table(reader, kIdempotence, name, node, profile.idempotence);
}

void read_matrix(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  read_table(reader, kMatrix, name, node, profile.matrix);
  std::size_t cells = 1;
  std::set<std::string_view> names;
  for (const MatrixAxis& axis : profile.matrix) {
    cells = std::min(cells * std::max<std::size_t>(axis.values.size(), 1), kMostCells + 1);
    if (!names.insert(axis.name).second) {
      reader.error(node.place, fmt::format("two axes of the matrix are called '{}'", axis.name));
    }
  }
  if (cells > kMostCells) {
    reader.error(node.place, fmt::format("the matrix has more than {} cells", kMostCells),
                 "each is a machine: split the profile, or leave out values");
  }
}

void check_matrix(Reader& reader, const DocumentNode& document, const Profile& profile) {
  const DocumentEntry* matrix = document.find("matrix");
  if (matrix == nullptr) return;
  const auto takes_vars = [](const ProvisionStep& step) {
    return std::visit(
        [](const auto& action) {
          return requires { action.vars; };
        },
        step.action);
  };
  if (const DocumentEntry* suite = matrix->value.find("suite");
      suite != nullptr && !std::holds_alternative<DebianImage>(profile.image)) {
    reader.error(suite->place, "'suite' in [matrix] goes with source = \"debian\" only");
  }
  if (const DocumentEntry* vars = matrix->value.find("vars");
      vars != nullptr && std::none_of(profile.provision.begin(), profile.provision.end(), takes_vars)) {
    reader.error(vars->place, "'vars' in [matrix] reaches no step: none in [[provision]] takes variables",
                 "for scripts write [matrix.env]");
  }
}

std::vector<TableKeys> scenario_tables() {
  return {keys_of(kScenario), keys_of(kIdempotence), keys_of(kIgnore), keys_of(kMatrix)};
}

}  // namespace mayfly
