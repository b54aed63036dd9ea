#include <set>

#include "mayfly/provision/provision.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace {

// To be raised when a provisioner changes in a way that can alter what it makes of the same input.
constexpr std::string_view kVersion = "1";

void add_map(Sha256& hash, const std::map<std::string, std::string>& map) {
  hash.field(std::to_string(map.size()));
  for (const auto& [key, value] : map) {
    hash.field(key).field(value);
  }
}

// A directory's tree without what no manifest reads and tools rewrite.
void add_directory(Sha256& hash, const std::filesystem::path& directory) {
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

struct Add {
  Sha256& hash;

  void operator()(const ShellStep& step) const {
    hash.field("shell").field(step.script.filename().string()).field(step.inline_script);
    if (!step.script.empty()) {
      hash.file(step.script);
    }
    hash.field(std::to_string(step.args.size()));
    for (const std::string& argument : step.args) {
      hash.field(argument);
    }
    add_map(hash, step.env);
  }

  void operator()(const AnsibleStep& step) const {
    hash.field("ansible").field(step.playbook.filename().string());
    add_directory(hash, step.playbook.parent_path());
    add_map(hash, step.vars);
  }

  void operator()(const PuppetStep& step) const {
    hash.field("puppet").field(step.manifest.filename().string());
    add_directory(hash, step.manifest.parent_path());
    hash.field(std::to_string(step.modules.size()));
    for (const std::filesystem::path& module : step.modules) {
      hash.field(module.filename().string());
      add_directory(hash, module);
    }
    add_map(hash, step.facts);
  }
};

}  // namespace

std::string fingerprint(const ProvisionStep& step) {
  return in_context("hashing the input of " + describe(step), [&] {
    try {
      Sha256 hash;
      hash.field("mayfly-provision").field(kVersion);
      std::visit(Add{hash}, step.action);
      return hash.hex();
    } catch (const std::filesystem::filesystem_error& error) {
      throw SystemError("read '" + error.path1().string() + "'", error.code().value());
    }
  });
}

}  // namespace mayfly
