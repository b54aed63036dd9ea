#include "mayfly/provision/ansible_home.h"

#include <cstdlib>

#include "mayfly/provision/ansible_input.h"
#include "mayfly/provision/step.h"
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
  write_file(path() / "vars.json", ansible_vars(step.vars), 0600);
  write_file(path() / "ansible.cfg", "");
  const std::filesystem::path own_config = step.playbook.parent_path() / "ansible.cfg";
  config_ = std::filesystem::exists(own_config) ? own_config : path() / "ansible.cfg";
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
              {"ANSIBLE_NOCOWS", "true"}});
  return env;
}

}  // namespace mayfly
