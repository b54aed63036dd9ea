#include "mayfly/provision/dependencies.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mayfly/image/content_store.h"
#include "mayfly/image/ticker.h"
#include "mayfly/provision/ansible_home.h"
#include "mayfly/provision/json_fields.h"
#include "mayfly/provision/propellor_build.h"
#include "mayfly/provision/provision.h"
#include "mayfly/provision/puppet_input.h"
#include "mayfly/provision/requirements.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

constexpr Milliseconds kLimit{600'000};

// The store's entry of this key, by `install` where it is missing. `names`: what an offline user has to get.
fs::path installed(const std::string& key, const std::string& what, const std::string& names,
                   const DependencyOptions& options, const ContentStore::Builder& install) {
  ContentStore store(options.paths, options.paths.dependencies());
  if (auto entry = store.find(key, options.scope)) {
    return *entry;
  }
  if (options.offline) {
    Error error(fmt::format("{}: not in the store, and offline nothing is installed: {}", what, names));
    error.set_hint("run it once without --offline");
    throw error;
  }
  return store.ensure(key, options.scope, options.progress, [&](const fs::path& staging) {
    Ticker ticker(what, options.progress);
    ticker.stage("installing");
    install(staging);
    write_recipe(staging, what);
  });
}

ProcessOptions process_options(const DependencyOptions& options, const fs::path& directory) {
  return {.cwd = directory, .timeout = kLimit, .join_cgroups = options.scope.cgroup_procs};
}

// Galaxy's reasons are warnings, folded to 79 columns; its error only says that there were some.
std::string galaxy_complaint(const ProcessResult& result) {
  std::string text(trimmed(result.err));
  std::replace(text.begin(), text.end(), '\n', ' ');
  for (const char* noise : {"[WARNING]: ", "ERROR! ", "[ERROR]: "}) {
    for (std::size_t at = text.find(noise); at != std::string::npos; at = text.find(noise)) {
      text.erase(at, std::string_view(noise).size());
    }
  }
  text.resize(std::min(text.size(), text.find(" - you can use --ignore-errors")));
  return text.empty() ? std::string(last_line(result.out)) : text;
}

void install_with_galaxy(const AnsibleStep& step, const fs::path& staging, const DependencyOptions& options) {
  if (!find_program("ansible-galaxy")) {
    Error error("ansible-galaxy is not installed on this machine");
    error.set_hint("apt-get install ansible-core");
    throw error;
  }
  const AnsibleHome home(step, staging);
  ProcessOptions process = process_options(options, step.requirements.parent_path());
  process.env = home.environment();
  process.clear_env = true;
  process.env["ANSIBLE_ROLES_PATH"] = staging / "roles";
  process.env["ANSIBLE_COLLECTIONS_PATH"] = staging / "collections";
  const ProcessResult result = run_process({"ansible-galaxy", "install", "-r", step.requirements}, process);
  if (!result.ok()) {
    throw Error(fmt::format("ansible-galaxy: {}", galaxy_complaint(result)));
  }
}

// A module's name by its metadata, else by its directory's, without author and version: "stdlib" of
// "puppetlabs-stdlib-9.4.1".
std::string module_name(const fs::path& directory) {
  std::string name = directory.filename();
  if (const auto metadata = read_file_if_exists(directory / "metadata.json")) {
    read_json_object(*metadata, "metadata.json", [&](const boost::json::object& object) {
      name = text_of(object, "name").empty() ? name : text_of(object, "name");
      std::replace(name.begin(), name.end(), '/', '-');
    });
    return puppet_module_name(name);
  }
  const std::size_t version = name.find_last_of('-');
  if (version != std::string::npos && name.find_first_not_of("0123456789.", version + 1) == std::string::npos) {
    name.resize(version);
  }
  return puppet_module_name(name);
}

void unpack_modules(const fs::path& archive, const fs::path& staging, const DependencyOptions& options) {
  const fs::path raw = staging / "unpacked";
  fs::create_directories(raw);
  fs::create_directories(staging / "modules");
  const ProcessResult result = run_process(
      {"tar", "--extract", "--file", archive, "--directory", raw, "--no-same-owner"}, process_options(options, {}));
  if (!result.ok()) {
    throw Error(fmt::format("unpack '{}': {}", archive.string(), last_line(result.err)));
  }
  std::vector<fs::path> found;
  if (is_puppet_module(raw)) {
    found.push_back(raw);
  } else {
    for (const auto& entry : fs::directory_iterator(raw)) {
      if (entry.is_directory() && is_puppet_module(entry.path())) {
        found.push_back(entry.path());
      }
    }
  }
  if (found.empty()) {
    throw Error(fmt::format("'{}' has no Puppet module", archive.string()));
  }
  for (const fs::path& module : found) {
    const std::string name = module == raw ? module_name(raw) : module_name(module);
    fs::rename(module, staging / "modules" / name);
  }
  remove_tree(raw);
}

void install_with_puppet(const PuppetStep& step, const fs::path& staging, const DependencyOptions& options) {
  if (!find_program("puppet")) {
    Error error("puppet, which installs modules of the Forge, is not on this machine");
    error.set_hint("apt-get install puppet-agent, or name the modules' directories or archives in 'modules'");
    throw error;
  }
  fs::create_directories(staging / "modules");
  const TempDir state("puppet-", staging);
  for (const std::string& module : step.forge) {
    const std::size_t at = module.find('@');
    std::vector<std::string> argv{"puppet",       "module",
                                  "install",      module.substr(0, at),
                                  "--target-dir", staging / "modules",
                                  "--confdir",    state.path() / "conf",
                                  "--vardir",     state.path() / "var",
                                  "--color=false"};
    if (at != std::string::npos) {
      argv.insert(argv.end(), {"--version", module.substr(at + 1)});
    }
    const ProcessResult result = run_process(argv, process_options(options, {}));
    if (!result.ok()) {
      throw Error(fmt::format("puppet module install {}: {}", module, tail(trimmed(result.err), 4)));
    }
  }
}

bool is_archive(const fs::path& module) { return !fs::is_directory(module); }

void hash_forge(Sha256& hash, const PuppetStep& step) {
  hash.field("puppet-forge 1");
  for (const std::string& module : step.forge) {
    hash.field(module);
  }
}

std::string archive_key(const fs::path& archive) { return Sha256().field("puppet-archive 1").file(archive).hex(); }

struct Resolve {
  const DependencyOptions& options;
  const std::string what;

  ProvisionAction operator()(const AnsibleStep& step) const {
    AnsibleStep resolved = step;
    if (!step.requirements.empty()) {
      Sha256 hash;
      hash_requirements(hash, step.requirements);
      resolved.installed = installed(hash.hex(), what, fmt::format("'{}'", step.requirements.string()), options,
                                     [&](const fs::path& staging) { install_with_galaxy(step, staging, options); });
      resolved.requirements.clear();
    }
    return resolved;
  }

  ProvisionAction operator()(const PuppetStep& step) const {
    PuppetStep resolved = step;
    // Archives are local: they need no network.
    DependencyOptions local = options;
    local.offline = false;
    for (fs::path& module : resolved.modules) {
      if (is_archive(module)) {
        module = installed(
                     archive_key(module), what, {}, local,
                     [archive = module, &local](const fs::path& staging) { unpack_modules(archive, staging, local); }) /
                 "modules";
      }
    }
    if (!step.forge.empty()) {
      Sha256 hash;
      hash_forge(hash, step);
      resolved.modules.push_back(
          installed(hash.hex(), what, fmt::format("{}", fmt::join(step.forge, ", ")), options,
                    [&](const fs::path& staging) { install_with_puppet(step, staging, options); }) /
          "modules");
      resolved.forge.clear();
    }
    return resolved;
  }

  ProvisionAction operator()(const PropellorStep& step) const {
    PropellorStep resolved = step;
    resolved.toolchain = propellor_toolchain(options);
    return resolved;
  }

  template <typename Step>
  ProvisionAction operator()(const Step& step) const {
    return step;
  }
};

}  // namespace

bool has_dependencies(const ProvisionStep& step) {
  if (const auto* ansible = std::get_if<AnsibleStep>(&step.action)) {
    return !ansible->requirements.empty();
  }
  if (const auto* propellor = std::get_if<PropellorStep>(&step.action)) {
    return propellor->toolchain.empty();
  }
  const auto* puppet = std::get_if<PuppetStep>(&step.action);
  return puppet != nullptr &&
         (!puppet->forge.empty() || std::any_of(puppet->modules.begin(), puppet->modules.end(), is_archive));
}

ProvisionStep resolve_dependencies(const ProvisionStep& step, const DependencyOptions& options) {
  ProvisionStep resolved = step;
  const std::string what = "dependencies of " + describe(step);
  if (has_dependencies(step)) {
    resolved.action = in_context("installing the " + what, [&] {
      try {
        return std::visit(Resolve{options, what}, step.action);
      } catch (const fs::filesystem_error& error) {
        throw SystemError(fmt::format("write '{}'", error.path1().string()), error.code().value());
      }
    });
  }
  return resolved;
}

void hash_dependencies(Sha256& hash, const ProvisionStep& step) {
  if (const auto* ansible = std::get_if<AnsibleStep>(&step.action); ansible != nullptr && has_dependencies(step)) {
    hash_requirements(hash, ansible->requirements);
  } else if (const auto* puppet = std::get_if<PuppetStep>(&step.action)) {
    hash_forge(hash, *puppet);
  }
}

}  // namespace mayfly
