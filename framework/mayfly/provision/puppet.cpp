#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/provision/puppet_input.h"
#include "mayfly/provision/puppet_inventory.h"
#include "mayfly/provision/puppet_report.h"
#include "mayfly/provision/scratch.h"
#include "mayfly/provision/step.h"
#include "mayfly/support/paths.h"

namespace mayfly {
namespace {

// What the image itself has installed; vendored modules are found by puppet anyway.
constexpr const char* kImageModules[] = {"/etc/puppet/code/modules", "/usr/share/puppet/modules"};

// Copies modules in; what stands there afterwards. Only what the profile names: Puppet runs the custom facts of every
// module in its path, which doubles its time with all of Debian's.
std::vector<std::string> copy_modules(const PuppetStep& step, const StepContext& context,
                                      const ContainerScratch& scratch, PathMap& paths) {
  std::vector<std::string> module_path{scratch / "modules"};
  for (std::size_t i = 0; i < step.modules.size(); ++i) {
    const std::filesystem::path& directory = step.modules[i];
    std::string inside = fmt::format("{}/{}", module_path.front(), puppet_module_name(directory));
    if (!is_puppet_module(directory)) {
      inside = scratch / fmt::format("modules-{}", i);
      module_path.push_back(inside);
    }
    copy_in(context.target, directory, inside);
    paths.add(inside + "/", directory.string() + "/");
  }
  for (const char* directory : kImageModules) {
    if (file_status(context.target, directory)) {
      module_path.emplace_back(directory);
    }
  }
  if (context.tool.has_own_root()) {
    module_path.push_back(context.tool.at("/usr/share/puppet/modules"));
  }
  return module_path;
}

// What starts puppet. With a root of its own its state is ours, and the container gets none of its directories.
std::vector<std::string> puppet_apply(const StepContext& context, const ContainerScratch& scratch) {
  if (!context.tool.has_own_root()) {
    return {context.tool.program(), "apply"};
  }
  std::vector<std::string> argv = context.tool.ruby(context.target, scratch);
  argv.insert(argv.end(), {context.tool.at(context.tool.program()), "apply"});
  const std::string state = scratch / "state";
  check(context.target, {"mkdir", "-m", "0700", state});
  for (const char* setting : {"vardir", "confdir", "codedir", "ssldir", "publicdir", "rundir", "logdir"}) {
    argv.push_back(fmt::format("--{0}={1}/{0}", setting, state));
  }
  return argv;
}

}  // namespace

StepOutcome run_puppet(const PuppetStep& step, const StepContext& context) {
  StepOutcome outcome;
  const Target& target = context.target;
  const std::filesystem::path directory = step.manifest.parent_path();
  const ContainerScratch scratch(target);
  PathMap paths;
  const std::vector<std::string> module_path = copy_modules(step, context, scratch, paths);
  copy_in(target, directory, scratch / "manifest");
  paths.add(scratch / "manifest/", directory.string() + "/");
  if (context.without.ends_with(']')) {
    // At the end, so that no line of the manifest moves.
    const std::string manifest = scratch / ("manifest/" + step.manifest.filename().string());
    write_file(target, manifest, read_file(target, manifest) + "\n" + puppet_without(context.without) + "\n");
  }
  copy_in(target, find_shipped("puppet/lib/puppet/reports/mayfly.rb"), scratch / "lib/puppet/reports/mayfly.rb");

  std::vector<std::string> argv = puppet_apply(context, scratch);
  argv.insert(argv.end(), {"--detailed-exitcodes", "--color=false", "--reports=mayfly",
                           fmt::format("--modulepath={}", fmt::join(module_path, ":"))});
  if (context.has_secrets) {
    // Puppet writes down there what resources are called and what they said: a command with a password, for example.
    argv.push_back("--statedir=" + scratch / "state");
  }
  if (context.mode == ProvisionMode::check) {
    argv.emplace_back("--noop");
  }
  if (std::filesystem::exists(directory / "hiera.yaml")) {
    argv.push_back("--hiera_config=" + scratch / "manifest/hiera.yaml");
  }
  argv.push_back(scratch / ("manifest/" + step.manifest.filename().string()));

  ExecOptions options{.env = tool_environment()};
  options.env["RUBYLIB"] = scratch / "lib";
  options.env["MAYFLY_PUPPET_REPORT"] = scratch / "report.json";
  for (const auto& [name, value] : step.facts) {
    options.env["FACTER_" + name] = value;
  }
  const ExecResult result = run_tool(context, argv, std::move(options), paths);

  std::optional<PuppetReport> report;
  if (file_status(target, scratch / "report.json")) {
    report = parse_puppet_report(read_file(target, scratch / "report.json"), paths, directory);
    outcome.result = tally(report->tasks);
    outcome.result.declared = puppet_inventory(step);
  }
  outcome.failure = result.timed_out ? timed_out(context.within, {})
                                     : puppet_failure(report, result.exit_code, context.lines.text(), directory);
  return outcome;
}

}  // namespace mayfly
