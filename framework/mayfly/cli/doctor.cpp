#include "mayfly/cli/doctor.h"

#include <fmt/format.h>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/exit_code.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

using Status = ProbeResult::Status;

std::string word(Status status, const Console& console) {
  switch (status) {
    case Status::ok:
      return console.paint(Style::good, "ok     ");
    case Status::warning:
      return console.paint(Style::warning, "warning");
    case Status::failed:
      break;
  }
  return console.paint(Style::bad, "failed ");
}

}  // namespace

ProbeResult run_probe(const Probe& probe) {
  try {
    return probe.run();
  } catch (const Error& error) {
    // A second line would be context or a hint, which the probe's next step says better.
    return {Status::failed, error.message(), error.hint()};
  } catch (const std::exception& error) {
    return {Status::failed, error.what(), {}};
  }
}

std::string render(const Probe& probe, const ProbeResult& result, const Console& console) {
  std::string text = fmt::format("{}  {:<18} {}", word(result.status, console), probe.name, result.detail);
  if (!result.next_step.empty()) text += fmt::format("\n{:<28}next: {}", "", result.next_step);
  return text;
}

int doctor_command(const Console& console) {
  int failed = 0, warnings = 0;
  for (const Probe& probe : doctor_probes(Paths::from_environment())) {
    const ProbeResult result = run_probe(probe);
    failed += result.status == Status::failed ? 1 : 0;
    warnings += result.status == Status::warning ? 1 : 0;
    console.line(render(probe, result, console));
  }
  if (failed > 0) {
    console.line(fmt::format("{} probes failed: containers can't be expected to start here", failed));
    return kExitError;
  }
  console.line(warnings > 0 ? fmt::format("containers start here; {} warnings", warnings) : "containers start here");
  return kExitOk;
}

}  // namespace mayfly
