#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mayfly/profile/sections.h"
#include "mayfly/profile/values.h"

namespace mayfly {
namespace {

std::optional<std::filesystem::path> read_script(Reader& reader, std::string_view name, const DocumentNode& node) {
  if (node.kind == DocumentNode::Kind::text && node.text.find('\n') != std::string::npos) {
    reader.error(node.place, fmt::format("'{}' must be the path of a script, not the script", name),
                 "for the script itself write shell = { inline = ... }");
    return std::nullopt;
  }
  return read_file_path(reader, name, node);
}

std::optional<std::string> read_inline(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto text = read_text(reader, name, node);
  if (text && text->find_first_not_of(" \t\r\n") == std::string::npos) {
    reader.error(node.place, fmt::format("'{}' is empty", name));
    return std::nullopt;
  }
  return text;
}

// "author-name" or "author-name@version"
std::optional<std::vector<std::string>> read_forge(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto names = read_names(reader, name, node);
  for (const std::string& one : names.value_or(std::vector<std::string>{})) {
    const std::size_t hyphen = one.find_first_of("-/");
    if (hyphen == std::string::npos || hyphen == 0 || one.ends_with('@') || one.starts_with('-')) {
      reader.error(node.place, fmt::format("'{}' is no module of the Forge", one),
                   "for example \"puppetlabs-stdlib@9.4.1\"");
    }
  }
  return names;
}

constexpr Schema<ShellStep, 4> kShell{
    .title = "'shell'",
    .fields = {{{"script", into<ShellStep, &ShellStep::script, read_script>, Need::choice},
                {"inline", into<ShellStep, &ShellStep::inline_script, read_inline>, Need::choice},
                {"args", into<ShellStep, &ShellStep::args, read_texts>},
                {"env", into<ShellStep, &ShellStep::env, read_variables>}}},
    .shorthand = "script"};

constexpr Schema<AnsibleStep, 6> kAnsible{
    .title = "'ansible'",
    .fields = {{{"playbook", into<AnsibleStep, &AnsibleStep::playbook, read_file_path>, Need::required},
                {"vars", into<AnsibleStep, &AnsibleStep::vars, read_json_texts>},
                {"tags", into<AnsibleStep, &AnsibleStep::tags, read_names>},
                {"skip_tags", into<AnsibleStep, &AnsibleStep::skip_tags, read_names>},
                {"vault_password_file", into<AnsibleStep, &AnsibleStep::vault_password_file, read_file_path>},
                {"requirements", into<AnsibleStep, &AnsibleStep::requirements, read_file_path>}}},
    .shorthand = "playbook"};

constexpr Schema<PuppetStep, 4> kPuppet{
    .title = "'puppet'",
    .fields = {{{"manifest", into<PuppetStep, &PuppetStep::manifest, read_file_path>, Need::required},
                {"modules", into<PuppetStep, &PuppetStep::modules, read_module_paths>},
                {"forge", into<PuppetStep, &PuppetStep::forge, read_forge>},
                {"facts", into<PuppetStep, &PuppetStep::facts, read_variables>}}},
    .shorthand = "manifest"};

bool is_below(const std::filesystem::path& path, const std::filesystem::path& directory) {
  const std::filesystem::path inner = path.lexically_relative(directory);
  return !inner.empty() && *inner.begin() != "..";
}

constexpr Schema<CfengineStep, 3> kCfengine{
    .title = "'cfengine'",
    .fields = {{{"policy", into<CfengineStep, &CfengineStep::policy, read_file_path>, Need::required},
                {"classes", into<CfengineStep, &CfengineStep::classes, read_names>},
                {"vars", into<CfengineStep, &CfengineStep::vars, read_json_texts>}}},
    .shorthand = "policy"};

std::optional<std::vector<std::filesystem::path>> read_recipe(Reader& reader, std::string_view name,
                                                              const DocumentNode& node) {
  auto recipe = read_file_path(reader, name, node);
  return recipe ? std::optional(std::vector{*std::move(recipe)}) : std::nullopt;
}

constexpr Schema<ItamaeStep, 4> kItamae{
    .title = "'itamae'",
    .fields = {{{"recipe", into<ItamaeStep, &ItamaeStep::recipes, read_recipe>, Need::choice},
                {"recipes", into<ItamaeStep, &ItamaeStep::recipes, read_file_paths>, Need::choice},
                {"directory", into<ItamaeStep, &ItamaeStep::directory, read_directory_path>},
                {"node", into<ItamaeStep, &ItamaeStep::vars, read_json_texts>}}},
    .shorthand = "recipe"};

void read_itamae(Reader& reader, std::string_view name, const DocumentNode& node, ProvisionStep& out) {
  ItamaeStep action;
  read_table(reader, kItamae, name, node, action);
  for (const std::filesystem::path& recipe : action.recipes) {
    if (!action.directory.empty() && !is_below(recipe, action.directory)) {
      reader.error(node.place, fmt::format("recipe '{}' isn't below 'directory'", recipe.string()),
                   "only that directory is taken into the container");
    }
  }
  out.action = std::move(action);
}

constexpr Schema<RexStep, 3> kRex{.title = "'rex'",
                                  .fields = {{{"file", into<RexStep, &RexStep::file, read_file_path>, Need::required},
                                              {"task", into<RexStep, &RexStep::task, read_word>, Need::required},
                                              {"params", into<RexStep, &RexStep::vars, read_json_texts>}}}};

constexpr Schema<PropellorStep, 3> kPropellor{
    .title = "'propellor'",
    .fields = {{{"config", into<PropellorStep, &PropellorStep::config, read_file_path>, Need::required},
                {"host", into<PropellorStep, &PropellorStep::host, read_word>},
                {"env", into<PropellorStep, &PropellorStep::env, read_variables>}}},
    .shorthand = "config"};

constexpr Schema<CdistStep, 3> kCdist{
    .title = "'cdist'",
    .fields = {{{"directory", into<CdistStep, &CdistStep::directory, read_directory_path>, Need::required},
                {"manifest", into<CdistStep, &CdistStep::manifest, read_file_path>},
                {"env", into<CdistStep, &CdistStep::env, read_variables>}}},
    .shorthand = "directory"};

void read_cdist(Reader& reader, std::string_view name, const DocumentNode& node, ProvisionStep& out) {
  CdistStep action;
  read_table(reader, kCdist, name, node, action);
  if (!action.directory.empty() && action.manifest.empty() &&
      !std::filesystem::is_regular_file(action.directory / "manifest/init")) {
    reader.error(node.place, "the directory of 'cdist' has no 'manifest/init'",
                 "or name one: cdist = { directory = ..., manifest = ... }");
  }
  out.action = std::move(action);
}

std::optional<CommandStep::Where> read_where(Reader& reader, std::string_view name, const DocumentNode& node) {
  constexpr std::array<std::string_view, 2> kWords{"container", "host"};
  const auto word = read_one_of(reader, name, node, kWords);
  return word ? std::optional(*word == kWords[0] ? CommandStep::Where::container : CommandStep::Where::host)
              : std::nullopt;
}

std::optional<CommandStep::Result> read_result(Reader& reader, std::string_view name, const DocumentNode& node) {
  constexpr std::array<std::string_view, 2> kWords{"exit-code", "json-lines"};
  const auto word = read_one_of(reader, name, node, kWords);
  return word ? std::optional(*word == kWords[0] ? CommandStep::Result::exit_code : CommandStep::Result::json_lines)
              : std::nullopt;
}

constexpr Schema<CommandStep, 8> kCommand{
    .title = "'command'",
    .fields = {{{"argv", into<CommandStep, &CommandStep::argv, read_argv>, Need::required},
                {"check", into<CommandStep, &CommandStep::check, read_argv>},
                {"directory", into<CommandStep, &CommandStep::directory, read_directory_path>},
                {"env", into<CommandStep, &CommandStep::env, read_variables>},
                {"vars", into<CommandStep, &CommandStep::vars, read_json_texts>},
                {"where", into<CommandStep, &CommandStep::where, read_where>},
                {"result", into<CommandStep, &CommandStep::result, read_result>},
                {"changed_exit_codes", into<CommandStep, &CommandStep::changed_exit_codes, read_exit_codes>}}},
    .shorthand = "argv"};

// The alternative of ProvisionStep::action that the schema describes.
template <typename Action, const auto& ActionSchema>
void read_action(Reader& reader, std::string_view name, const DocumentNode& node, ProvisionStep& out) {
  Action action;
  read_table(reader, ActionSchema, name, node, action);
  out.action = std::move(action);
}

constexpr Schema<ProvisionStep, 11> kProvision{
    .title = "[[provision]]",
    .fields = {{{"shell", read_action<ShellStep, kShell>, Need::choice},
                {"ansible", read_action<AnsibleStep, kAnsible>, Need::choice},
                {"puppet", read_action<PuppetStep, kPuppet>, Need::choice},
                {"cfengine", read_action<CfengineStep, kCfengine>, Need::choice},
                {"itamae", read_itamae, Need::choice},
                {"rex", read_action<RexStep, kRex>, Need::choice},
                {"propellor", read_action<PropellorStep, kPropellor>, Need::choice},
                {"cdist", read_cdist, Need::choice},
                {"command", read_action<CommandStep, kCommand>, Need::choice},
                {"within", into<ProvisionStep, &ProvisionStep::within, read_duration>},
                {"secrets", into<ProvisionStep, &ProvisionStep::secrets, read_secrets>}}}};

void read_steps(Reader& reader, std::string_view title, std::string_view name, const DocumentNode& node,
                std::vector<ProvisionStep>& out) {
  auto schema = kProvision;
  schema.title = title;
  read_array_of_tables(reader, name, node, [&](const DocumentNode& item) {
    ProvisionStep step;
    read_table(reader, schema, name, item, step);
    out.push_back(std::move(step));
  });
}

}  // namespace

void read_provision(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  read_steps(reader, "[[provision]]", name, node, profile.provision);
}
void read_prepare(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  read_steps(reader, "[[prepare]]", name, node, profile.prepare);
}
void read_side_effect(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  read_steps(reader, "[[side_effect]]", name, node, profile.side_effect);
}
void read_cleanup(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  read_steps(reader, "[[cleanup]]", name, node, profile.cleanup);
}

std::vector<TableKeys> provision_tables() {
  return {keys_of(kProvision), keys_of(kShell),   keys_of(kAnsible), keys_of(kPuppet),
          keys_of(kCfengine),  keys_of(kItamae),  keys_of(kRex),     keys_of(kPropellor),
          keys_of(kCdist),     keys_of(kCommand), secret_table()};
}

}  // namespace mayfly
