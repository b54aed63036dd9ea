#include "mayfly/provision/host_run.h"

#include <ctime>

#include "mayfly/exec/files.h"
#include "mayfly/provision/ansible_input.h"
#include "mayfly/provision/command_input.h"
#include "mayfly/provision/host_cgroup.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"

namespace mayfly {
namespace {

// A host program's own time to end after mayfly-enter has ended its last command in the container.
constexpr Milliseconds kGrace{2'000};

std::chrono::milliseconds uptime() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::seconds(now.tv_sec) +
                                                               std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace

std::string inventory_name(const Target& target) {
  std::string name;
  if (file_status(target, "/etc/hostname")) {
    name = trimmed(read_file(target, "/etc/hostname"));
  }
  return is_inventory_name(name) ? name : "container";
}

HostRun run_on_host(const StepContext& context, const std::vector<std::string>& argv, ProcessOptions options,
                    const std::filesystem::path& files) {
  write_file(files / "enter",
             enter_script(find_shipped("mayfly-enter"), context.target.init_pid(), uptime() + context.deadline.left()),
             0700);
  options.env["MAYFLY_ENTER"] = files / "enter";
  options.env["MAYFLY_INIT_PID"] = std::to_string(context.target.init_pid());
  options.timeout = context.deadline.left() + kGrace;
  options.on_output = [&](bool is_stderr, std::string_view piece) { context.lines.feed(is_stderr, piece); };
  const HostCgroup cgroup(context.target);
  if (cgroup.procs_fd() >= 0) {
    options.join_cgroups = {cgroup.procs_fd()};
  }
  HostRun run;
  try {
    run.exit_code = run_process(argv, options).exit_code;
  } catch (const TimeoutError&) {
    run.timed_out = true;
  }
  run.timed_out = run.timed_out || (run.exit_code != 0 && context.deadline.passed());
  context.lines.finish();
  return run;
}

}  // namespace mayfly
