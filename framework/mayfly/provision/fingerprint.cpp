#include <set>

#include "mayfly/provision/dependencies.h"
#include "mayfly/provision/provision.h"
#include "mayfly/provision/secrets.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/tree_hash.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace {

// To be raised when a provisioner changes in a way that can alter what it makes of the same input.
constexpr std::string_view kVersion = "3";

void add_map(Sha256& hash, const std::map<std::string, std::string>& map) {
  hash.field(std::to_string(map.size()));
  for (const auto& [key, value] : map) {
    hash.field(key).field(value);
  }
}

void add_list(Sha256& hash, const std::vector<std::string>& list) {
  hash.field(std::to_string(list.size()));
  for (const std::string& item : list) {
    hash.field(item);
  }
}

struct Add {
  Sha256& hash;

  void operator()(const ShellStep& step) const {
    hash.field("shell").field(step.script.filename().string()).field(step.inline_script);
    if (!step.script.empty()) {
      hash.file(step.script);
    }
    add_list(hash, step.args);
    add_map(hash, step.env);
  }

  void operator()(const AnsibleStep& step) const {
    hash.field("ansible").field(step.playbook.filename().string());
    hash_directory(hash, step.playbook.parent_path());
    add_map(hash, step.vars);
    add_list(hash, step.tags);
    add_list(hash, step.skip_tags);
  }

  void operator()(const PuppetStep& step) const {
    hash.field("puppet").field(step.manifest.filename().string());
    hash_directory(hash, step.manifest.parent_path());
    hash.field(std::to_string(step.modules.size()));
    for (const std::filesystem::path& module : step.modules) {
      hash.field(module.filename().string());
      if (std::filesystem::is_directory(module)) {
        hash_directory(hash, module);
      } else {
        hash.file(module);
      }
    }
    add_map(hash, step.facts);
  }

  void operator()(const CfengineStep& step) const {
    hash.field("cfengine").field(step.policy.filename().string());
    hash_directory(hash, step.policy.parent_path());
    add_list(hash, step.classes);
    add_map(hash, step.vars);
  }

  void operator()(const ItamaeStep& step) const {
    const std::filesystem::path directory = itamae_directory(step);
    hash.field("itamae").field(std::to_string(step.recipes.size()));
    for (const std::filesystem::path& recipe : step.recipes) {
      hash.field(recipe.lexically_relative(directory).string());
    }
    hash_directory(hash, directory);
    add_map(hash, step.vars);
  }

  void operator()(const RexStep& step) const {
    hash.field("rex").field(step.file.filename().string()).field(step.task);
    hash_directory(hash, step.file.parent_path());
    add_map(hash, step.vars);
  }

  void operator()(const PropellorStep& step) const {
    hash.field("propellor").field(step.config.filename().string()).field(step.host);
    hash_directory(hash, step.config.parent_path());
    add_map(hash, step.env);
  }

  void operator()(const CdistStep& step) const {
    hash.field("cdist").field(step.manifest.lexically_relative(step.directory).string());
    hash_directory(hash, step.directory);
    if (!step.manifest.empty()) {
      hash.file(step.manifest);
    }
    add_map(hash, step.env);
  }

  void operator()(const CommandStep& step) const {
    hash.field("command").field(step.where == CommandStep::Where::host ? "host" : "container");
    add_list(hash, step.argv);
    hash.field(step.directory.empty() ? "" : "directory");
    if (!step.directory.empty()) {
      hash_directory(hash, step.directory);
    }
    add_map(hash, step.env);
    add_map(hash, step.vars);
  }
};

}  // namespace

void hash_directory(Sha256& hash, const std::filesystem::path& directory) {
  const std::set<std::string> ignored{".git", ".hg", ".svn", ".ansible", "__pycache__"};
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.insert(entry.path().filename().string());
  }
  for (const std::string& name : names) {
    if (!ignored.contains(name)) {
      hash.field(name).tree(directory / name);
    }
  }
  hash.field("");
}

std::string fingerprint(const ProvisionStep& step) {
  return in_context("hashing the input of " + describe(step), [&] {
    try {
      Sha256 hash;
      hash.field("mayfly-provision").field(kVersion);
      std::visit(Add{hash}, step.action);
      hash_dependencies(hash, step);
      for (const auto& [name, value] : read_secrets(step.secrets)) {
        hash.field(name).field(value);
      }
      return hash.hex();
    } catch (const std::filesystem::filesystem_error& error) {
      throw SystemError("read '" + error.path1().string() + "'", error.code().value());
    }
  });
}

}  // namespace mayfly
