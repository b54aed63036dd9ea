#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "mayfly/exec/files.h"
#include "mayfly/provision/ansible_events.h"
#include "mayfly/provision/ansible_input.h"
#include "mayfly/provision/host_cgroup.h"
#include "mayfly/provision/scratch.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

constexpr const char* kPython = "/usr/bin/python3";
// Ansible's own time to end after the deadline has ended its last command in the container.
constexpr Milliseconds kGrace{2'000};

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

std::string container_name(const Target& target) {
  std::string name;
  if (file_status(target, "/etc/hostname")) {
    name = trimmed(read_file(target, "/etc/hostname"));
  }
  return is_inventory_name(name) ? name : "container";
}

// ANSIBLE_HOME moves into our directory, so that nothing is written to the user's. What the user has installed there is
// still found.
void make_ansible_home(const std::filesystem::path& home) {
  std::filesystem::create_directories(home / "tmp");
  const std::filesystem::path users = std::filesystem::path(variable("HOME", "/root")) / ".ansible";
  for (const char* part : {"collections", "roles"}) {
    if (std::filesystem::exists(users / part)) {
      std::filesystem::create_symlink(users / part, home / part);
    }
  }
}

std::map<std::string, std::string> environment(const std::filesystem::path& home, const std::filesystem::path& config,
                                               const std::filesystem::path& events) {
  const std::filesystem::path plugins = find_shipped("ansible/connection/mayfly.py").parent_path().parent_path();
  std::map<std::string, std::string> env = tool_environment();
  env.insert({{"PATH", variable("PATH", "/usr/local/bin:/usr/bin:/bin") + ":/usr/sbin:/sbin"},
              {"HOME", variable("HOME", "/root")},
              {"LANG", "C.UTF-8"},
              {"ANSIBLE_HOME", home},
              {"ANSIBLE_LOCAL_TEMP", home / "tmp"},
              {"ANSIBLE_CONFIG", config},
              {"ANSIBLE_CONNECTION_PLUGINS", plugins / "connection"},
              {"ANSIBLE_BECOME_PLUGINS", plugins / "become"},
              {"ANSIBLE_CALLBACK_PLUGINS", plugins / "callback"},
              {"ANSIBLE_LOCALHOST_WARNING", "false"},
              {"ANSIBLE_RETRY_FILES_ENABLED", "false"},
              {"ANSIBLE_NOCOLOR", "true"},
              {"ANSIBLE_NOCOWS", "true"},
              {"MAYFLY_ANSIBLE_EVENTS", events}});
  return env;
}

// The name of what ansible was at when the deadline passed: the command was killed, so its task may have failed by
// that.
std::string interrupted_task(const AnsibleRun& ansible) {
  const auto failed = std::find_if(ansible.tasks.rbegin(), ansible.tasks.rend(),
                                   [](const TaskResult& task) { return task.status == TaskResult::Status::failed; });
  if (failed != ansible.tasks.rend()) {
    return "task " + name_and_place(failed->name, failed->where);
  }
  return ansible.running.empty() ? "" : "task " + ansible.running;
}

}  // namespace

StepOutcome run_ansible(const AnsibleStep& step, const StepContext& context) {
  if (!find_program("ansible-playbook")) {
    // The host's lack, not the manifest's failure.
    Error error("ansible-playbook is not installed on this machine, which drives the container");
    error.set_hint("apt-get install ansible-core");
    throw error;
  }
  StepOutcome outcome;
  const std::filesystem::path directory = step.playbook.parent_path();
  const std::string host = container_name(context.target);
  const TempDir files("ansible-", host_temp_directory(context.target));
  const std::filesystem::path events = files.path() / "events";
  make_ansible_home(files.path() / "home");
  const ContainerScratch scratch(context.target, true);
  write_file(files.path() / "inventory",
             ansible_inventory({.host = host,
                                .init_pid = context.target.init_pid(),
                                .enter = find_shipped("mayfly-enter"),
                                .deadline = Deadline::Clock::now() + context.deadline.left(),
                                .scratch = scratch.path(),
                                .python = kPython}));
  write_file(files.path() / "vars.json", ansible_vars(step.vars), 0600);
  // An ansible.cfg elsewhere (~, /etc) would make the outcome depend on whose machine this is.
  write_file(files.path() / "ansible.cfg", "");
  const std::filesystem::path own_config = directory / "ansible.cfg";
  const std::filesystem::path config = std::filesystem::exists(own_config) ? own_config : files.path() / "ansible.cfg";

  const HostCgroup cgroup(context.target);
  ProcessOptions options{
      .env = environment(files.path() / "home", config, events),
      .clear_env = true,
      .cwd = directory,
      .timeout = context.deadline.left() + kGrace,
      .on_output = [&](bool is_stderr, std::string_view piece) { context.lines.feed(is_stderr, piece); }};
  if (cgroup.procs_fd() >= 0) {
    options.join_cgroups = {cgroup.procs_fd()};
  }
  std::vector<std::string> argv{"ansible-playbook", "-i", files.path() / "inventory", "-e",
                                "@" + (files.path() / "vars.json").string()};
  if (context.mode == ProvisionMode::check) {
    argv.insert(argv.end(), {"--check", "--diff"});
  }
  argv.push_back(step.playbook.filename());
  int exit_code = -1;
  try {
    exit_code = run_process(argv, options).exit_code;
  } catch (const TimeoutError&) {
    exit_code = -1;  // the verdict below tells
  }
  context.lines.finish();

  const AnsibleRun ansible = parse_ansible_events(read_file_if_exists(events).value_or(""), directory);
  outcome.result = tally(ansible.tasks);
  outcome.failure = ansible_failure(ansible, host, exit_code, context.lines.text(), directory);
  if (outcome.failure && context.deadline.passed()) {
    outcome.failure = timed_out(context.within, interrupted_task(ansible));
  } else if (outcome.failure && !file_status(context.target, kPython)) {
    outcome.failure->hint = "ansible needs python3 in the container: add \"python3\" to image.packages";
  }
  return outcome;
}

}  // namespace mayfly
