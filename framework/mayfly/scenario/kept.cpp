#include "mayfly/scenario/kept.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <cstdlib>
#include <ctime>

#include "mayfly/provision/provision.h"
#include "mayfly/session/convergence.h"
#include "mayfly/session/convergence_json.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/sha256.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

namespace json = boost::json;
using Path = std::filesystem::path;

/// Raised when the same inputs can give another verdict.
constexpr std::string_view kFormat = "kept-verdict 2";

constexpr std::array kTools{
    "sh",           "bash",   "dash",        "ksh",         "ruby", "shellcheck", "ansible-playbook",
    "ansible-lint", "puppet", "puppet-lint", "cf-promises", "rex"};
constexpr std::array kLinterFiles{".ansible-lint",
                                  ".ansible-lint.yml",
                                  ".ansible-lint.yaml",
                                  ".config/ansible-lint.yml",
                                  ".config/ansible-lint.yaml",
                                  ".yamllint",
                                  ".yamllint.yml",
                                  ".yamllint.yaml",
                                  ".config/yamllint/config",
                                  ".puppet-lint.rc",
                                  ".config/puppet-lint.rc"};

std::string last_written(const Path& path) {
  std::error_code absent;
  const auto time = std::filesystem::last_write_time(path, absent);
  return absent ? "" : std::to_string(time.time_since_epoch().count());
}

/// Whatever installs a tool or a part of it changes one of these.
void hash_tools(Sha256& hash) {
  for (const char* name : kTools) {
    const auto program = find_program(name);
    hash.field(name).field(program ? program->string() : "").field(program ? last_written(*program) : "");
    // Python's packages of the same prefix: of a virtual environment, of pip's --user.
    std::error_code absent;
    const Path libraries = program ? program->parent_path().parent_path() / "lib" : Path();
    for (const auto& entry : std::filesystem::directory_iterator(libraries, absent)) {
      if (entry.path().filename().string().starts_with("python3")) {
        hash.field(last_written(entry.path() / "site-packages")).field(last_written(entry.path() / "dist-packages"));
      }
    }
  }
  hash.field(last_written("/var/lib/dpkg/status"));
}

/// @return false when another file may be read that isn't known here
bool hash_linter_files(Sha256& hash, Path directory) {
  const char* home = std::getenv("HOME");
  const auto add = [&](const Path& at) {
    std::error_code absent;
    if (std::filesystem::exists(at / ".shellcheckrc", absent) ||
        std::filesystem::exists(at / ".config/shellcheckrc", absent)) {
      return false;
    }
    for (const char* name : kLinterFiles) {
      if (std::filesystem::is_regular_file(at / name, absent)) hash.field((at / name).string()).file(at / name);
    }
    return true;
  };
  bool known = home == nullptr || add(home);
  while (known) {
    known = add(directory);
    if (!directory.has_relative_path()) break;
    directory = directory.parent_path();
  }
  return known;
}

struct DirectoryOf {
  Path operator()(const ShellStep& step) const { return step.script.parent_path(); }
  Path operator()(const AnsibleStep& step) const { return step.playbook.parent_path(); }
  Path operator()(const PuppetStep& step) const { return step.manifest.parent_path(); }
  Path operator()(const CfengineStep& step) const { return step.policy.parent_path(); }
  Path operator()(const ItamaeStep& step) const { return step.recipes.front().parent_path(); }
  Path operator()(const RexStep& step) const { return step.file.parent_path(); }
  Path operator()(const PropellorStep& step) const { return step.config.parent_path(); }
  Path operator()(const CdistStep& step) const { return step.directory; }
  Path operator()(const CommandStep& step) const { return step.directory; }
};

/// Roles and collections of the user's home are found by ansible-lint, and are in no hash.
void hash_ansible_home(Sha256& hash) {
  const char* home = std::getenv("HOME");
  for (const Path& base :
       {Path(home == nullptr ? "/" : home) / ".ansible", Path("/usr/share/ansible"), Path("/etc/ansible")}) {
    for (const char* name : {"roles", "collections/ansible_collections"}) {
      hash.field(last_written(base / name));
      std::error_code absent;
      for (const auto& entry : std::filesystem::directory_iterator(base / name, absent)) {
        hash.field(entry.path().filename().string()).field(last_written(entry.path()));
      }
    }
  }
}

template <typename T>
std::string text_of(const std::optional<T>& value) {
  if (!value) return "";
  if constexpr (std::is_same_v<T, Bytes>) {
    return std::to_string(value->count);
  } else {
    return fmt::format("{}", *value);
  }
}

}  // namespace

std::optional<std::string> lint_key(const Profile& profile) {
  Sha256 hash;
  hash.field(kFormat).field("lint");
  hash_tools(hash);
  hash_ansible_home(hash);
  const char* options = std::getenv("SHELLCHECK_OPTS");
  hash.field(options == nullptr ? "" : options);
  for (const auto* steps : {&profile.prepare, &profile.provision, &profile.side_effect, &profile.cleanup}) {
    hash.field(std::to_string(steps->size()));
    for (ProvisionStep step : *steps) {
      step.secrets.clear();  // nobody reads them here, and they may be absent
      hash.field(fingerprint(step));
      if (const auto* ansible = std::get_if<AnsibleStep>(&step.action)) hash.field(ansible->installed.string());
      if (const auto* propellor = std::get_if<PropellorStep>(&step.action)) hash.field(propellor->toolchain.string());
      const Path directory = std::visit(DirectoryOf{}, step.action);
      if (!directory.empty() && !hash_linter_files(hash, directory)) return std::nullopt;
    }
  }
  return hash.hex();
}

std::string idempotence_key(const Profile& profile) {
  Sha256 hash;
  hash.field(kFormat).field("idempotence").field(std::to_string(static_cast<int>(profile.idempotence.boot)));
  for (const IgnoreRule& rule : ignore_rules(profile)) {
    hash.field(to_string(rule.resource)).field(rule.pattern).field(rule.reason);
  }
  const Limits& limits = profile.limits;
  hash.field(text_of(limits.memory))
      .field(text_of(limits.cpus))
      .field(text_of(limits.pids))
      .field(text_of(limits.disk));
  for (const ReadyWhen& ready : profile.init.ready) {
    hash.field(std::to_string(static_cast<int>(ready.kind))).field(ready.text).field(std::to_string(ready.port));
    hash.field(shell_quote(ready.argv));
  }
  return hash.hex();
}

std::optional<StepReport> find_kept(const Path& file, ScenarioStep step) {
  try {
    const auto text = read_file_if_exists(file);
    if (!text) return std::nullopt;
    json::parse_options options;
    options.allow_invalid_utf8 = true;  // names of files are bytes
    const json::value document = json::parse(*text, {}, options);
    const auto at = static_cast<std::time_t>(document.at("at").to_number<std::int64_t>());
    StepReport report{.step = step, .outcome = StepReport::Outcome::cached};
    report.detail =
        fmt::format("{} (found {:%Y-%m-%d %H:%M})", std::string(document.at("detail").as_string()), fmt::localtime(at));
    for (const json::value& note : document.at("notes").as_array()) report.notes.emplace_back(note.as_string());
    if (const json::value* convergence = document.as_object().if_contains("convergence")) {
      Convergence kept = convergence_from_json(std::string(convergence->as_string()));
      report.result = std::move(kept.reported);
      report.changes = std::move(kept.changes);
    }
    return report;
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("kept verdict '{}' is left alone: {}", file.string(), error.what()));
    return std::nullopt;
  }
}

void keep(const Path& file, const StepReport& report) {
  if (report.outcome != StepReport::Outcome::ok) return;
  try {
    json::object document{{"at", std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())},
                          {"detail", report.detail}};
    json::array& notes = document["notes"].emplace_array();
    for (const std::string& note : report.notes) notes.emplace_back(note);
    if (report.result && report.changes) {
      document["convergence"] = to_json(Convergence{.reported = *report.result, .changes = *report.changes});
    }
    std::filesystem::create_directories(file.parent_path());
    write_file_atomically(file, json::serialize(document) + "\n", 0600);
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("keep a verdict in '{}': {}", file.string(), error.what()));
  }
}

}  // namespace mayfly
