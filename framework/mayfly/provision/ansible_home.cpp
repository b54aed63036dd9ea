#include "mayfly/provision/ansible_home.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "mayfly/provision/step.h"
#include "mayfly/provision/text.h"
#include "mayfly/provision/variables.h"
#include "mayfly/support/paths.h"

namespace mayfly {
namespace {

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

void link_to_users(const std::filesystem::path& home) {
  const std::filesystem::path users = std::filesystem::path(variable("HOME", "/root")) / ".ansible";
  for (const char* part : {"collections", "roles"}) {
    if (std::filesystem::exists(users / part)) {
      std::filesystem::create_symlink(users / part, home / part);
    }
  }
}

}  // namespace

AnsibleHome::AnsibleHome(const AnsibleStep& step, const std::filesystem::path& parent)
    : directory_("ansible-", parent) {
  std::filesystem::create_directories(path() / "home/tmp");
  link_to_users(path() / "home");
  write_file(path() / "vars.json", variables_as_json(step.vars), 0600);
  write_file(path() / "ansible.cfg", "");
  const std::filesystem::path own_config = step.playbook.parent_path() / "ansible.cfg";
  installed_ = step.installed;
  vault_password_file_ = step.vault_password_file;
  config_ = std::filesystem::exists(own_config) ? own_config : path() / "ansible.cfg";
}

// ":/x/roles:/y" of a line "roles_path = roles:/y" in an ansible.cfg in /x: the variable, which comes before it, would
// hide it.
std::string AnsibleHome::configured(const std::set<std::string_view>& keys) const {
  std::string paths;
  const std::string text = read_file(config_);
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || !keys.contains(trimmed(line.substr(0, equals)))) {
      continue;
    }
    for (std::string_view value = trimmed(line.substr(equals + 1)); !value.empty();) {
      const std::size_t colon = std::min(value.find(':'), value.size());
      std::string path(value.substr(0, colon));
      if (path.starts_with("~/")) {
        path.replace(0, 1, variable("HOME", "/root"));
      }
      paths += ":" + (config_.parent_path() / path).string();
      value.remove_prefix(std::min(colon + 1, value.size()));
    }
  }
  return paths;
}

std::map<std::string, std::string> AnsibleHome::environment() const {
  const std::filesystem::path plugins = find_shipped("ansible/connection/mayfly.py").parent_path().parent_path();
  std::map<std::string, std::string> env = tool_environment();
  env.insert({{"PATH", variable("PATH", "/usr/local/bin:/usr/bin:/bin") + ":/usr/sbin:/sbin"},
              {"HOME", variable("HOME", "/root")},
              {"LANG", "C.UTF-8"},
              {"ANSIBLE_HOME", path() / "home"},
              {"ANSIBLE_LOCAL_TEMP", path() / "home/tmp"},
              {"ANSIBLE_CONFIG", config_},
              {"ANSIBLE_CONNECTION_PLUGINS", plugins / "connection"},
              {"ANSIBLE_BECOME_PLUGINS", plugins / "become"},
              {"ANSIBLE_CALLBACK_PLUGINS", plugins / "callback"},
              {"ANSIBLE_LOCALHOST_WARNING", "false"},
              {"ANSIBLE_RETRY_FILES_ENABLED", "false"},
              {"ANSIBLE_NOCOLOR", "true"},
              {"ANSIBLE_NOCOWS", "true"},
              // Modules would write their arguments, secrets too, to the container's journal.
              {"ANSIBLE_NO_TARGET_SYSLOG", "true"}});
  if (!vault_password_file_.empty()) {
    env["ANSIBLE_VAULT_PASSWORD_FILE"] = vault_password_file_;
  }
  if (!installed_.empty()) {
    const std::string home = path() / "home";
    env["ANSIBLE_ROLES_PATH"] = fmt::format("{}/roles{}:{}/roles:/usr/share/ansible/roles:/etc/ansible/roles",
                                            installed_.string(), configured({"roles_path"}), home);
    env["ANSIBLE_COLLECTIONS_PATH"] =
        fmt::format("{}/collections{}:{}/collections:/usr/share/ansible/collections", installed_.string(),
                    configured({"collections_path", "collections_paths"}), home);
  }
  return env;
}

}  // namespace mayfly
