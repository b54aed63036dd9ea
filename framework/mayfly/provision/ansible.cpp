#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mayfly/exec/files.h"
#include "mayfly/provision/ansible_events.h"
#include "mayfly/provision/ansible_home.h"
#include "mayfly/provision/ansible_input.h"
#include "mayfly/provision/host_cgroup.h"
#include "mayfly/provision/host_run.h"
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
  const std::string host = inventory_name(context.target);
  const AnsibleHome files(step, host_temp_directory(context.target));
  const std::filesystem::path events = files.path() / "events";
  const ContainerScratch scratch(context.target, true);
  write_file(files.path() / "inventory",
             ansible_inventory({.host = host,
                                .init_pid = context.target.init_pid(),
                                .enter = find_shipped("mayfly-enter"),
                                .deadline = Deadline::Clock::now() + context.deadline.left(),
                                .scratch = scratch.path(),
                                .python = kPython}));

  const HostCgroup cgroup(context.target);
  ProcessOptions options{
      .env = files.environment(),
      .clear_env = true,
      .cwd = directory,
      .timeout = context.deadline.left() + kGrace,
      .on_output = [&](bool is_stderr, std::string_view piece) { context.lines.feed(is_stderr, piece); }};
  options.env["MAYFLY_ANSIBLE_EVENTS"] = events;
  if (!context.without.empty()) {
    options.env["MAYFLY_ANSIBLE_WITHOUT"] = directory / context.without;
  }
  if (cgroup.procs_fd() >= 0) {
    options.join_cgroups = {cgroup.procs_fd()};
  }
  std::vector<std::string> argv{"ansible-playbook", "-i", files.path() / "inventory", "-e", files.vars_argument()};
  for (const auto& [option, list] : {std::pair("--tags", &step.tags), std::pair("--skip-tags", &step.skip_tags)}) {
    if (!list->empty()) {
      argv.insert(argv.end(), {option, fmt::format("{}", fmt::join(*list, ","))});
    }
  }
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
  outcome.result.declared = ansible.declared;
  outcome.failure = ansible_failure(ansible, host, exit_code, context.lines.text(), directory);
  if (outcome.failure && context.deadline.passed()) {
    outcome.failure = timed_out(context.within, interrupted_task(ansible));
  } else if (outcome.failure && !file_status(context.target, kPython)) {
    outcome.failure->hint = "ansible needs python3 in the container: add \"python3\" to image.packages";
  }
  return outcome;
}

}  // namespace mayfly
