#include "mayfly/judge/idempotence.h"

#include <fmt/format.h>

namespace mayfly {
namespace {

std::string indented(const std::string& text) {
  std::string result;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    result += fmt::format("  {}\n", std::string_view(text).substr(start, end - start));
    start = end + 1;
  }
  return result;
}

std::string changed_tasks(const ConvergeResult& result) {
  std::string text;
  for (const TaskResult& task : result.tasks) {
    if (task.status == TaskResult::Status::changed) {
      text += fmt::format("  changed: {}\n", title_of(task));
    }
  }
  return text;
}

}  // namespace

IdempotenceReport check_idempotence(Session& session, const Profile& profile, const StartOptions& options) {
  const Container control = session.start(profile, options);
  const Container machine = session.start(profile, options);
  // The control's time is at least as long as the converge's.
  const MachineState at_rest = control.capture_state();
  IdempotenceReport report{.second = machine.converge()};
  const StateDiff noise = difference(at_rest, control.capture_state());
  report.second.changes = without_noise(std::move(report.second.changes), noise);
  return report;
}

std::string explain(const IdempotenceReport& report) {
  const Convergence& second = report.second;
  if (report.idempotent()) {
    return {};
  }
  std::string text;
  if (!report.state_unchanged()) {
    text += !second.tools_tell             ? "the second converge changed the machine:\n"
            : report.tool_says_unchanged() ? "the second converge changed the machine, though it reports no change:\n"
                                           : "the second converge changed the machine:\n";
    text += indented(render(second.changes));
  }
  if (second.tools_tell && !report.tool_says_unchanged()) {
    text += report.state_unchanged()
                ? "the second converge reports changes, though nothing in the machine is different:\n"
                : "it reports:\n";
    text += changed_tasks(second.reported);
  }
  return text;
}

}  // namespace mayfly
