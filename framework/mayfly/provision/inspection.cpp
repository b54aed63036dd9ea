#include "mayfly/provision/inspection.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/provision/ansible_events.h"
#include "mayfly/provision/ansible_home.h"
#include "mayfly/provision/findings.h"
#include "mayfly/provision/interpreter.h"
#include "mayfly/provision/propellor_build.h"
#include "mayfly/provision/provision.h"
#include "mayfly/provision/rex_failure.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/owned_temp_dir.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

constexpr Milliseconds kLimit{120'000};

// What a tool is for one step: how to call it, which exit codes are answers, and how to read what it says.
struct Call {
  std::vector<std::string> argv;
  std::string package;  // Debian's, for the hint
  ProcessOptions options{};
  int last_answer = 1;  // exit codes up to this one mean that it has done its work
  std::function<std::vector<Finding>(const ProcessResult&)> read;
};

Inspection not_installed(std::string tool, const std::string& package) {
  return {.tool = std::move(tool), .available = false, .hint = fmt::format("apt-get install {}", package)};
}

Inspection none(std::string hint) { return {.available = false, .hint = std::move(hint)}; }

// `tool` is what the user knows: "puppet parser validate".
Inspection ask(std::string tool, const Call& call) {
  if (!find_program(call.argv.front())) {
    return not_installed(std::move(tool), call.package);
  }
  ProcessOptions options = call.options;
  options.timeout = kLimit;
  options.env.insert({"LANG", "C.UTF-8"});
  const ProcessResult result = run_process(call.argv, options);
  const auto broke = [&] {
    return Error(fmt::format("{}: exit code {}: {}", tool, result.exit_code,
                             last_line(trimmed(result.err).empty() ? result.out : result.err)));
  };
  if (result.exit_code > call.last_answer) {
    throw broke();
  }
  Inspection inspection{.tool = tool, .output = result.out + result.err, .duration = result.duration};
  inspection.findings = call.read(result);
  if (result.exit_code != 0 && inspection.findings.empty()) {
    // Whatever it didn't like, it must not pass for a clean manifest.
    throw broke();
  }
  return inspection;
}

// "bash" of "#!/usr/bin/env -S bash -e"
std::string language_of(const std::string& script) {
  const std::vector<std::string> interpreter = interpreter_of(script);
  std::string name = std::filesystem::path(interpreter.front()).filename();
  if (name == "env" && interpreter.size() > 1) {
    std::string_view rest = interpreter.back();
    if (rest.starts_with("-S ")) {
      rest.remove_prefix(3);
    }
    name = std::filesystem::path(rest.substr(0, rest.find(' '))).filename();
  }
  return name;
}

bool is_shell(const std::string& language) {
  return language == "sh" || language == "bash" || language == "dash" || language == "ksh";
}

// A shell step's script as a file, also when it stands in the profile.
class ScriptFile {
 public:
  explicit ScriptFile(const ShellStep& step)
      : is_inline_(step.script.empty()), text_(is_inline_ ? step.inline_script : read_file(step.script)) {
    path_ = is_inline_ ? files_.path() / "inline script" : step.script;
    if (is_inline_) {
      write_file(path_, text_, 0600);
    }
  }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path directory() const { return path_.parent_path(); }
  std::string language() const { return language_of(text_); }

 private:
  bool is_inline_;
  std::string text_;
  OwnedTempDir files_{"inspect"};
  std::filesystem::path path_;
};

Inspection check_lines(std::string tool, std::vector<std::string> argv, std::string package,
                       const std::filesystem::path& file, const std::filesystem::path& directory) {
  argv.push_back(file);
  return ask(std::move(tool), {.argv = argv,
                               .package = std::move(package),
                               .options = {.cwd = directory},
                               .last_answer = 2,  // dash
                               .read = [&](const ProcessResult& result) {
                                 return parse_error_lines(result.out + result.err, file, directory);
                               }});
}

// What the same tool said of two files of a step.
Inspection together(Inspection first, Inspection second) {
  second.findings.insert(second.findings.begin(), first.findings.begin(), first.findings.end());
  second.output.insert(0, first.output);
  second.duration += first.duration;
  return second;
}

struct Syntax {
  Inspection operator()(const ShellStep& step) const {
    const ScriptFile script(step);
    const std::string language = script.language();
    if (is_shell(language)) {
      return check_lines(language + " -n", {language, "-n"}, language, script.path(), script.directory());
    }
    if (language == "ruby") {
      return check_lines("ruby -c", {"ruby", "-c"}, "ruby", script.path(), script.directory());
    }
    return none(fmt::format("no syntax check is known for scripts of '{}'", language));
  }

  Inspection operator()(const AnsibleStep& step) const {
    const std::filesystem::path directory = step.playbook.parent_path();
    const OwnedTempDir files("inspect");
    const AnsibleHome home(step, files.path());
    return ask("ansible-playbook --syntax-check",
               {.argv = {"ansible-playbook", "-i", "localhost,", "-e", home.vars_argument(), "--syntax-check",
                         step.playbook.filename()},
                .package = "ansible-core",
                .options = {.env = home.environment(), .clear_env = true, .cwd = directory},
                .last_answer = 4,
                .read = [&](const ProcessResult& result) -> std::vector<Finding> {
                  const auto complaint = ansible_complaint(result.out + result.err, directory);
                  if (result.exit_code == 0 || !complaint) {
                    return {};
                  }
                  return {{.where = complaint->where.empty() ? step.playbook.filename().string() : complaint->where,
                           .rule = {},
                           .message = complaint->message,
                           .severity = Finding::Severity::error}};
                }});
  }

  Inspection operator()(const PuppetStep& step) const {
    const OwnedTempDir files("inspect");
    std::vector<std::string> argv{
        "puppet",      "parser", "validate",   "--confdir", files.path() / "conf", "--vardir", files.path() / "var",
        "--render-as", "json",   step.manifest};
    argv.insert(argv.end(), step.modules.begin(), step.modules.end());
    return ask("puppet parser validate", {.argv = argv,
                                          .package = "puppet-agent",
                                          .options = {.cwd = step.manifest.parent_path()},
                                          .read = [&](const ProcessResult& result) {
                                            return parse_puppet_syntax(result.out, step.manifest.parent_path());
                                          }});
  }

  Inspection operator()(const CfengineStep& step) const {
    // A work directory with the policies and the standard library, as the agent will have it.
    const OwnedTempDir files("inspect");
    const std::filesystem::path inputs = files.path() / "inputs";
    std::filesystem::create_directory(inputs);
    std::filesystem::permissions(files.path(), std::filesystem::perms(0700));
    std::filesystem::copy(step.policy.parent_path(), inputs, std::filesystem::copy_options::recursive);
    if (!std::filesystem::exists(inputs / "lib")) {
      std::filesystem::create_symlink("/usr/share/cfengine3/masterfiles/lib", inputs / "lib");
    }
    // A policy that others may write to is refused.
    for (const auto& entry : std::filesystem::recursive_directory_iterator(inputs)) {
      if (!entry.is_symlink()) {
        std::filesystem::permissions(entry.path(),
                                     std::filesystem::perms::group_write | std::filesystem::perms::others_write,
                                     std::filesystem::perm_options::remove);
      }
    }
    const std::filesystem::path policy = inputs / step.policy.filename();
    return ask("cf-promises", {.argv = {"cf-promises", "-f", policy},
                               .package = "cfengine3",
                               .options = {.env = {{"CFENGINE_TEST_OVERRIDE_WORKDIR", files.path()}}},
                               .read = [&](const ProcessResult& result) {
                                 return parse_error_lines(result.out + result.err, policy, inputs);
                               }});
  }

  Inspection operator()(const ItamaeStep& step) const {
    Inspection all;
    for (const std::filesystem::path& recipe : step.recipes) {
      all = together(std::move(all), check_lines("ruby -c", {"ruby", "-c"}, "ruby", recipe, itamae_directory(step)));
    }
    return all;
  }

  Inspection operator()(const RexStep& step) const {
    const std::filesystem::path directory = step.file.parent_path();
    return ask("rex -T", {.argv = {"rex", "-m", "-F", "-f", step.file.filename(), "-T"},
                          .package = "rex",
                          .options = {.cwd = directory},
                          .read = [&](const ProcessResult& result) -> std::vector<Finding> {
                            if (result.exit_code == 0) {
                              return {};
                            }
                            const auto [where, message] = rex_complaint(result.out + result.err, directory);
                            return {{.where = where.empty() ? step.file.filename().string() : where,
                                     .rule = {},
                                     .message = message,
                                     .severity = Finding::Severity::error}};
                          }});
  }

  Inspection operator()(const PropellorStep& step) const { return check_propellor(step); }

  Inspection operator()(const CdistStep& step) const {
    // The manifests that cdist runs by its shell: the step's, and those of its types.
    std::vector<std::filesystem::path> scripts{cdist_manifest(step)};
    if (std::filesystem::is_directory(step.directory / "type")) {
      for (const auto& type : std::filesystem::directory_iterator(step.directory / "type")) {
        for (const char* name : {"manifest", "gencode-local", "gencode-remote"}) {
          if (std::filesystem::is_regular_file(type.path() / name)) {
            scripts.push_back(type.path() / name);
          }
        }
      }
    }
    std::sort(scripts.begin() + 1, scripts.end());
    Inspection all;
    for (const std::filesystem::path& script : scripts) {
      const std::string language = language_of(read_file(script));
      if (is_shell(language)) {
        all = together(std::move(all), check_lines("sh -n", {language, "-n"}, language, script, step.directory));
      }
    }
    return all.tool.empty() ? none("no syntax check is known for its manifests") : all;
  }

  Inspection operator()(const CommandStep& /*step*/) const { return none("no syntax check is known for commands"); }
};

// puppet-lint reads a directory only as its first argument, in the order of the file system.
std::vector<std::string> manifests_below(const std::filesystem::path& directory) {
  std::vector<std::string> manifests;
  if (!std::filesystem::is_directory(directory)) {
    return manifests;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.path().extension() == ".pp" && entry.is_regular_file()) {
      manifests.push_back(entry.path());
    }
  }
  std::sort(manifests.begin(), manifests.end());
  return manifests;
}

struct Lint {
  Inspection operator()(const ShellStep& step) const {
    const ScriptFile script(step);
    const std::string language = script.language();
    if (!is_shell(language)) {
      return none(fmt::format("no linter is known for scripts of '{}'", language));
    }
    return ask("shellcheck",
               {.argv = {"shellcheck", "-f", "json", "-s", language, script.path()},
                .package = "shellcheck",
                .options = {.cwd = script.directory()},
                .read = [&](const ProcessResult& result) { return parse_shellcheck(result.out, script.directory()); }});
  }

  Inspection operator()(const AnsibleStep& step) const {
    const std::filesystem::path directory = step.playbook.parent_path();
    const OwnedTempDir files("inspect");
    const AnsibleHome home(step, files.path());
    ProcessOptions options{.env = home.environment(), .clear_env = true, .cwd = directory};
    options.env["XDG_CACHE_HOME"] = home.path() / "cache";
    // From version 24 on it keeps its cache beside the playbook.
    const std::filesystem::path cache = directory / ".ansible";
    const bool is_users = std::filesystem::exists(cache);
    Inspection inspection =
        ask("ansible-lint",
            {.argv = {"ansible-lint", "--offline", "-q", "--nocolor", "-f", "codeclimate", step.playbook.filename()},
             .package = "ansible-lint",
             .options = options,
             .last_answer = 2,
             .read = [&](const ProcessResult& result) { return parse_ansible_lint(result.out, directory); }});
    if (!is_users) {
      remove_tree(cache);
    }
    return inspection;
  }

  Inspection operator()(const PuppetStep& step) const {
    std::vector<std::string> argv{"puppet-lint", "--json", step.manifest};
    for (const std::filesystem::path& modules : step.modules) {
      const std::vector<std::string> manifests = manifests_below(modules);
      argv.insert(argv.end(), manifests.begin(), manifests.end());
    }
    const std::filesystem::path directory = step.manifest.parent_path();
    return ask("puppet-lint",
               {.argv = argv,
                .package = "puppet-lint",
                .options = {.cwd = directory},
                .read = [&](const ProcessResult& result) { return parse_puppet_lint(result.out, directory); }});
  }

  Inspection operator()(const CfengineStep&) const { return none("no linter is known for CFEngine's policies"); }
  Inspection operator()(const ItamaeStep&) const { return none("no linter is known for Itamae's recipes"); }
  Inspection operator()(const RexStep&) const { return none("no linter is known for Rexfiles"); }
  Inspection operator()(const PropellorStep&) const {
    return none("no linter is known for Propellor's configurations");
  }
  Inspection operator()(const CdistStep&) const { return none("no linter is known for cdist's manifests"); }
  Inspection operator()(const CommandStep&) const { return none("no linter is known for commands"); }
};

}  // namespace

bool Inspection::passed() const {
  return available && std::none_of(findings.begin(), findings.end(),
                                   [](const Finding& finding) { return finding.severity == Finding::Severity::error; });
}

Inspection check_syntax(const ProvisionStep& step) {
  return in_context("checking the syntax of " + describe(step), [&] { return std::visit(Syntax{}, step.action); });
}

Inspection lint(const ProvisionStep& step) {
  return in_context("linting " + describe(step), [&] { return std::visit(Lint{}, step.action); });
}

std::string to_string(const Finding& finding) {
  const char* severity = finding.severity == Finding::Severity::error     ? "error"
                         : finding.severity == Finding::Severity::warning ? "warning"
                                                                          : "info";
  std::string text = fmt::format("{}: {}: {}", finding.where, severity, finding.message);
  return finding.rule.empty() ? text : text + fmt::format(" [{}]", finding.rule);
}

}  // namespace mayfly
